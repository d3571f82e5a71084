"""The store's service: `python -m store.server` owns the file and serves it on a unix socket."""

from __future__ import annotations

import logging
import sys

from appliance.config.paths import Paths
from appliance.errors import ApplianceError, StoreUnavailable
from appliance.terminal import guard
from store.memory import prepare_allocators

log = logging.getLogger("store")


def main() -> int:
    """Run the service of `$APPLIANCE_HOME`; exit codes as everywhere."""
    guard()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    prepare_allocators()
    from store.service import serve  # loads DuckDB and Arrow

    try:
        return serve(Paths.from_environment())
    except ApplianceError as error:
        log.error("%s code=%s hint=%s", error.message, error.code, error.hint)  # noqa: TRY400
        return 3 if isinstance(error, StoreUnavailable) else 1


if __name__ == "__main__":
    sys.exit(main())
