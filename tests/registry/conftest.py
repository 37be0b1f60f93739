"""Both adapters of the registry, behind one fixture: every test here holds for each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.registry.sqlite import SqliteRegistry


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture(params=["sqlite", "memory"])
def registry(request: pytest.FixtureRequest, database: Path) -> Iterator[Registry]:
    """An empty registry."""
    adapters: dict[str, Callable[[], Registry]] = {
        "sqlite": lambda: SqliteRegistry(database),
        "memory": MemoryRegistry,
    }
    made = adapters[request.param]()
    yield made
    made.close()


@pytest.fixture
def sqlite(database: Path) -> Iterator[SqliteRegistry]:
    made = SqliteRegistry(database)
    yield made
    made.close()
