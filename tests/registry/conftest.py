"""The adapters of the registry, behind one fixture: every test here holds for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.port import Registry
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.sqlite import SqliteRegistry
from tests.postgresql import Server


class NewRegistry(Protocol):
    def __call__(self, kind: str, clock: Callable[[], float] | None = None) -> Registry: ...


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewRegistry]:
    """Makes empty registries of a kind, by a clock of the test's own if need be."""
    with ExitStack() as stack:

        def make(kind: str, clock: Callable[[], float] | None = None) -> Registry:
            made: Registry
            if kind == "postgresql":
                server: Server = request.getfixturevalue("postgresql")
                url = server.create()
                stack.callback(server.drop, url)
                made = PostgresqlRegistry(url, clock=clock)
            elif kind == "sqlite":
                path = tmp_path / f"registry-{len(list(tmp_path.glob('*.db')))}.db"
                made = SqliteRegistry(path, clock) if clock else SqliteRegistry(path)
            else:
                made = MemoryRegistry(clock) if clock else MemoryRegistry()
            return stack.enter_context(closing(made))

        yield make


@pytest.fixture
def registry(kind: str, new_registry: NewRegistry) -> Registry:
    """An empty registry."""
    return new_registry(kind)


@pytest.fixture
def sqlite(database: Path) -> Iterator[SqliteRegistry]:
    made = SqliteRegistry(database)
    yield made
    made.close()


@pytest.fixture
def postgres(postgresql_url: str) -> Iterator[PostgresqlRegistry]:
    with closing(PostgresqlRegistry(postgresql_url)) as made:
        yield made


@pytest.fixture
def postgres_too(postgresql_url: str) -> Iterator[PostgresqlRegistry]:
    """A second one on the database of `postgres`."""
    with closing(PostgresqlRegistry(postgresql_url)) as made:
        yield made
