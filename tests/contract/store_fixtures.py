"""The session that a contract test runs against: the file itself, and the real service."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from appliance.config.paths import Paths
from store.database import Database
from store.open import open_store
from store.session import Session
from tests.store_process import running_service

_numbers = itertools.count()


@pytest.fixture(scope="module", params=["file", "service"])
def session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    paths = Paths(tmp_path_factory.mktemp("store") / "home")
    paths.create()
    if request.param == "file":
        with open_store(paths) as opened:
            assert isinstance(opened, Database)
            yield opened
    else:
        with running_service(paths) as (_, client):
            yield client


@pytest.fixture
def market() -> str:
    """A market that no other test has touched."""
    return f"KRW-T{next(_numbers)}"


@pytest.fixture
def project() -> str:
    """A project that no other test has touched."""
    return f"project_{next(_numbers)}"
