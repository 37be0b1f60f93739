"""The registry in one SQLite file: WAL, synchronous=FULL, one writer at a time, any number of readers.

It speaks the driver's own SQL: the statements are constants in `registry/sql/`. A commit has reached the disk when
`change()` returns (https://www.sqlite.org/pragma.html#pragma_synchronous). Readers never wait for the writer.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from handclasp.errors import RegistryBusy, RegistryDamaged, RegistryError
from handclasp.registry.port import Row
from handclasp.registry.sql.change import SqlChange
from handclasp.registry.sql.registry import TABLES, SqlRegistry, selection
from handclasp.registry.sql.taken import already_registered
from handclasp.registry.sqlite_schema import MIGRATIONS

#: Fifty processes that enrol at once wait their turn within this.
BUSY_TIMEOUT_S = 60.0


class SqliteRegistry(SqlRegistry):
    """Opens `path`, creating file and schema if need be, and applies the migrations it lacks.

    Raises RegistryDamaged when the file is not a readable SQLite database, RegistryError when a newer version
    of Handclasp made it. One object belongs to one thread.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        _make_private(path)
        with _driver_errors(path):
            self._connection = self._connect()
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        super().__init__(self._connection.execute, clock, partial(_driver_errors, path))
        self._file = _file_id(path)
        self._own_commits = 0
        self._seen: tuple[int, int] | None = None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    def _prepare(self) -> None:
        run = self._connection.execute
        if run("PRAGMA journal_mode").fetchone()[0] != "wal":
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        if self._schema_version() < len(MIGRATIONS):
            with self._transaction():
                for number in range(self._schema_version(), len(MIGRATIONS)):
                    for statement in _statements(MIGRATIONS[number]):
                        run(statement)
                    run(f"PRAGMA user_version = {number + 1}")
        if self._schema_version() > len(MIGRATIONS):
            raise RegistryError(
                f"registry {self._path} has schema {self._schema_version()}, this version knows {len(MIGRATIONS)}",
                hint="upgrade Handclasp",
            )
        # Not before: a migration may rebuild a table that others refer to (https://www.sqlite.org/lang_altertable.html).
        run("PRAGMA foreign_keys = ON")

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk or an I/O error has rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def change(self) -> Iterator[SqlChange]:
        with self._errors():
            with self._transaction():
                yield SqlChange(self._run, self._clock, self._errors)
            self._own_commits += 1

    def has_changed(self) -> bool:
        # A file that was removed or replaced stays readable through an open connection, and never changes again.
        if _file_id(self._path) != self._file:
            raise RegistryDamaged(
                f"registry {self._path} was removed or replaced while it was open", hint="start again on the right file"
            )
        # data_version tells of other connections' commits only, so our own are counted beside it.
        with self._errors():
            now = (int(self._connection.execute("PRAGMA data_version").fetchone()[0]), self._own_commits)
        changed = now != self._seen
        self._seen = now
        return changed

    def _empty(self) -> None:
        # The guard is a trigger's: it is taken down and put up again in the same transaction.
        guards = self._run("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            self._run(f"DROP TRIGGER {name}")
        super()._empty()
        for _, statement in guards:
            self._run(statement)

    def snapshot(self) -> Iterator[Row]:
        # A connection of its own: its read transaction sees one moment, and the writer never waits for it.
        with self._errors(), closing(self._connect()) as connection:
            connection.execute("BEGIN")
            for table in TABLES:
                cursor = connection.execute(selection(table))
                columns = [each[0] for each in cursor.description]
                for row in cursor:
                    yield table, dict(zip(columns, row, strict=True))

    def close(self) -> None:
        self._connection.close()


def _make_private(path: Path) -> None:
    """Create the file if it is missing: SQLite would make it readable by others, and gives -wal and -shm its mode.

    One that is there is never opened beside SQLite: closing a descriptor of it would drop every lock this process
    holds on it (fcntl(2)), and the next process to close it would delete the log under an open connection
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        wrong = errno.EISDIR if path.is_dir() else errno.EACCES if not os.access(path, os.R_OK | os.W_OK) else None
        if wrong is not None:
            raise RegistryError(f"registry {path} cannot be opened: {os.strerror(wrong)}") from None
    except OSError as error:
        raise RegistryError(f"registry {path} cannot be opened: {error.strerror}") from error


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one, a trigger's body included: executescript would commit before it runs."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement) and statement.strip(" \n;"):
            yield statement
            statement = ""


@contextmanager
def _driver_errors(path: Path) -> Iterator[None]:
    """No driver error leaves: each becomes the registry error that says what to do."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        taken = already_registered(str(error))
        if taken:
            raise taken from error
        raise RegistryError(f"the registry refuses the change: {error}") from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise RegistryBusy(
                f"registry {path} was held by another process for {BUSY_TIMEOUT_S:.0f} seconds",
                hint="look for a process that hangs with it open, then try again",
            ) from error
        raise RegistryError(f"registry {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise RegistryDamaged(f"registry {path} is damaged: {error}", hint="restore it from a backup") from error
