"""How far a long stage is: lines of the task's log, which `appliance run` shows as they come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance.domain.workflow import PROGRESS_MARK

_log = logging.getLogger(__name__)


def tell(text: str) -> None:
    """Say how far the stage is."""
    _log.info("%s%s", PROGRESS_MARK, text)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Hand every text of `tell` in this process to `listener` meanwhile."""

    class _Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            listener(record.getMessage().removeprefix(PROGRESS_MARK))

    handler, level = _Listener(), _log.level
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(level)
