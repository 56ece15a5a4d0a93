"""The stores that the tests run on: Redis is started here, PostgreSQL above, SQLite is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import pytest

from modwire_stores import StoreUnit, redis_unit, sql_unit
from store_servers import REDIS, RedisServer, StoreServer

KINDS = ("redis", "sqlite", "postgresql")
Peer: TypeAlias = "Callable[[str, bool, str], None]"


@pytest.fixture(scope="session")
def redis_server(require_peer: Peer) -> Iterator[RedisServer]:
    require_peer("redis-server", REDIS is not None, "apt-get install redis-server")
    require_peer("redis-py", find_spec("redis") is not None, "pip install redis")
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["redis", "postgresql"])
def server(request: pytest.FixtureRequest) -> StoreServer:
    """A database that can be killed or paused."""
    is_redis = request.param == "redis"
    found: StoreServer = request.getfixturevalue("redis_server" if is_redis else "postgres_server")
    return found


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of each store in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registers.db'}"
    server: StoreServer = request.getfixturevalue(
        "redis_server" if request.param == "redis" else "postgres_server"
    )
    return server.url


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A prefix or table that no other test uses."""
    digits = "".join(c if c.isalnum() else "_" for c in request.node.name)
    return digits[-60:].lower()


MakeUnit: TypeAlias = "Callable[..., StoreUnit]"


@pytest.fixture
def make_unit(url: str, name: str) -> Iterator[MakeUnit]:
    """A function that makes units on the store, each with its own connections."""
    units: list[StoreUnit] = []

    def make(**options: object) -> StoreUnit:
        make_one = redis_unit if url.startswith("redis") else sql_unit
        unit = make_one(url, name, **options)  # type: ignore[arg-type]
        units.append(unit)
        return unit

    yield make
    for unit in units:
        unit.close()


@pytest.fixture
def unit(make_unit: MakeUnit) -> StoreUnit:
    return make_unit()
