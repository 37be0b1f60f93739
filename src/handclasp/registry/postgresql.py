"""The registry in PostgreSQL, for gateways and authorities on any number of machines.

One writer at a time, by an advisory lock that the transaction holds; readers never wait. Every commit tells the others
by NOTIFY. It needs a database of its own, PostgreSQL 12 or newer with ICU, and a connection that is its own: a pooler
has to be in session mode. The user needs CREATE on the schema and, after that, no more than to own the tables.

The statements are those of `registry/sql/`; here are the transaction, the lists and the snapshot.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from itertools import count
from typing import Any

from handclasp.errors import NotEstablished, RegistryError
from handclasp.registry.port import Row
from handclasp.registry.postgresql_address import address
from handclasp.registry.postgresql_commits import Commits
from handclasp.registry.postgresql_connection import WRITER_LOCK, Connection, Raw, connect
from handclasp.registry.postgresql_errors import driver_errors
from handclasp.registry.postgresql_schema import MIGRATIONS, NUMBERED
from handclasp.registry.sql import rows
from handclasp.registry.sql.change import SqlChange
from handclasp.registry.sql.registry import TABLES, SqlRegistry, selection

#: Fifty processes that enrol at once wait their turn within this.
BUSY_TIMEOUT_S = 60.0
#: Rows fetched at a time of what may be long.
_PAGE = 500

_SELECT_NOW = "SELECT extract(epoch FROM clock_timestamp())::double precision"
#: Asked of a table: to_regclass answers from a cache, which does not see what was made while we waited for the lock.
_SELECT_HAS_SCHEMA = """
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_tables
        WHERE tablename = 'handclasp_schema' AND schemaname = ANY (current_schemas(false))
    )
"""
_SELECT_VERSION = "SELECT value FROM handclasp_schema"
_CREATE_VERSION = "CREATE TABLE handclasp_schema (value INTEGER NOT NULL); INSERT INTO handclasp_schema VALUES (0)"


class PostgresqlRegistry(SqlRegistry):
    """Connects to the database `url` names, and applies the migrations it lacks; without `create` there has to be a
    schema already, or it is NotEstablished.

    Raises RegistryUnavailable when the server does not answer, also later; the next use connects anew. `clock` takes
    the place of the server's, for tests. One object belongs to one thread.
    """

    def __init__(self, url: str, *, create: bool = True, clock: Callable[[], float] | None = None) -> None:
        self._address = address(url)
        self._waiting_s = BUSY_TIMEOUT_S
        self._connection = Connection(self._address, self._waiting_s)
        self._commits = Commits(self._address, self._waiting_s)
        self._cursors = (f"list_{number}" for number in count(1))
        super().__init__(
            self._execute, clock or self._server_time, partial(driver_errors, self._address, self._waiting_s)
        )
        try:
            with self._errors():
                self._prepare(create)
        except BaseException:
            self.close()
            raise

    def _execute(self, statement: str, parameters: Iterable[Any] = ()) -> Any:
        given = tuple(parameters)
        return self._connection.use(lambda raw: raw.execute(_marked(statement), given or None))

    def _server_time(self) -> float:
        return float(self._execute(_SELECT_NOW).fetchone()[0])

    def _prepare(self, create: bool) -> None:
        found = self._connection.use(_version)
        if not found and not create:
            raise NotEstablished(f"there is no authority in {self._address}", hint="run: handclasp init")
        if found < len(MIGRATIONS):
            found = self._connection.use(_migrate)
        if found > len(MIGRATIONS):
            raise RegistryError(
                f"{self._address} has schema {found}, this version knows {len(MIGRATIONS)}", hint="upgrade Handclasp"
            )

    @contextmanager
    def change(self) -> Iterator[SqlChange]:
        with self._errors():
            self._connection.begin()
            try:
                yield SqlChange(self._run, self._clock, self._errors)
                number = self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
            self._commits.made(number)

    def has_changed(self) -> bool:
        with self._errors():
            return self._commits.have_grown()

    def _stream(self, statement: str, *parameters: Any) -> Iterator[rows.Values]:
        # WITH HOLD: the server keeps the result of one moment, and this connection may write before it is all read.
        with self._errors():
            yield from self._connection.use(lambda raw: self._open_list(raw, statement, parameters))

    def _open_list(self, raw: Raw, statement: str, parameters: tuple[Any, ...]) -> Iterator[rows.Values]:
        cursor = raw.cursor(next(self._cursors), withhold=True)
        cursor.itersize = _PAGE
        try:
            cursor.execute(_marked(statement), parameters)
        except BaseException:
            cursor.close()
            raise
        return _all_of(cursor)

    def snapshot(self) -> Iterator[Row]:
        # A connection of its own: its transaction sees one moment, and the writer never waits for it.
        with self._errors(), closing(connect(self._address, self._waiting_s)) as raw:
            raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a backup may be slow to take it in
            for table in TABLES:
                with raw.cursor(table) as cursor:
                    cursor.itersize = _PAGE
                    cursor.execute(selection(table))
                    columns = [each.name for each in cursor.description or ()]
                    for row in cursor:
                        yield table, dict(zip(columns, row, strict=True))

    def _insert(self, snapshot: Iterable[Row]) -> None:
        # In a pipeline no row waits for the answer about the one before it.
        with self._connection.use(lambda raw: raw.pipeline()):
            super()._insert(snapshot)
        for table in NUMBERED:
            self._run(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), coalesce(max(number), 0) + 1, false) "
                f"FROM {table}"
            )

    def _empty(self) -> None:
        self._run("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
        super()._empty()
        self._run("ALTER TABLE audit ENABLE TRIGGER audit_is_append_only")

    def close(self) -> None:
        self._connection.close()
        self._commits.close()


def _version(raw: Raw) -> int:
    """How many migrations the database has had; 0 before the first."""
    there = raw.execute(_SELECT_HAS_SCHEMA).fetchone()
    row = raw.execute(_SELECT_VERSION).fetchone() if there and there[0] else None
    return int(row[0]) if row else 0


def _migrate(raw: Raw) -> int:
    """All in one transaction, as one writer: whoever comes second finds it done."""
    with raw.transaction():
        raw.execute(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        found = _version(raw)
        if not found:
            raw.execute(_CREATE_VERSION)
        for number in range(found, len(MIGRATIONS)):
            raw.execute(MIGRATIONS[number])
            raw.execute("UPDATE handclasp_schema SET value = %s", (number + 1,))
    return max(found, len(MIGRATIONS))


def _all_of(cursor: Any) -> Iterator[rows.Values]:
    with closing(cursor):
        yield from cursor


@cache
def _marked(statement: str) -> str:
    """The statement with PostgreSQL's own mark for a parameter."""
    return statement.replace("?", "%s")
