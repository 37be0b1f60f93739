"""What is SQLite's own: files and their modes, migrations, other connections and processes, damage."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from handclasp.errors import RegistryBusy, RegistryDamaged, RegistryError
from handclasp.registry import sqlite as adapter
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.records import ClientStatus
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.registry.sqlite_schema import MIGRATIONS
from tests.forking import become_nobody, in_child
from tests.registry import rows


@pytest.fixture
def other(sqlite: SqliteRegistry, database: Path) -> Iterator[SqliteRegistry]:
    """A second connection to the registry of `sqlite`."""
    made = SqliteRegistry(database)
    yield made
    made.close()


def test_the_file_and_its_journal_are_private(sqlite: SqliteRegistry, database: Path) -> None:
    rows.fill(sqlite, "acme")
    files = sorted(database.parent.glob("registry.db*"))
    assert [file.name for file in files] == ["registry.db", "registry.db-shm", "registry.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_it_is_durable_and_checks_references(sqlite: SqliteRegistry) -> None:
    run = sqlite._connection.execute  # the pragmas hold for one connection and show nowhere else
    assert run("PRAGMA journal_mode").fetchone() == ("wal",)
    assert run("PRAGMA synchronous").fetchone() == (2,)
    assert run("PRAGMA foreign_keys").fetchone() == (1,)
    assert run("PRAGMA busy_timeout").fetchone() == (60_000,)
    assert run("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_what_was_committed_is_there_when_the_file_is_opened_again(database: Path) -> None:
    first = SqliteRegistry(database)
    rows.fill(first, "acme")
    first.close()
    again = SqliteRegistry(database)
    assert again.client("acme") == rows.client()
    assert again.revision() == 1
    again.close()


def test_a_commit_of_another_connection_is_noticed_once(sqlite: SqliteRegistry, other: SqliteRegistry) -> None:
    rows.fill(sqlite, "acme")
    assert other.has_changed()
    assert not other.has_changed()
    with sqlite.change() as change:
        change.set_client_status("acme", ClientStatus.SUSPENDED)
        assert not other.has_changed(), "not committed yet"
    assert other.has_changed()
    assert not other.has_changed()
    assert other.client("acme").status is ClientStatus.SUSPENDED
    assert other.revision() == sqlite.revision() == 2


def test_a_commit_of_another_process_is_noticed(sqlite: SqliteRegistry, database: Path) -> None:
    sqlite.has_changed()
    with get_context("forkserver").Pool(1) as pool:
        pool.map(_write_some, [(str(database), 7)])
    assert sqlite.has_changed()
    assert not sqlite.has_changed()
    assert sqlite.revision() == 5


def test_a_list_that_is_being_read_keeps_no_other_connection_from_writing(
    sqlite: SqliteRegistry, other: SqliteRegistry
) -> None:
    rows.fill(sqlite, *(f"client-{n:03}" for n in range(200)))
    standings = sqlite.standings()
    next(standings)
    rows.note(other)
    assert len(list(standings)) == 199


def test_a_writer_waits_for_another_and_then_says_who_is_in_the_way(
    sqlite: SqliteRegistry, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BUSY_TIMEOUT_S", 0.05)
    impatient = SqliteRegistry(database)
    with sqlite.change(), pytest.raises(RegistryBusy, match="was held by another process") as busy:
        rows.note(impatient)
    assert busy.value.hint is not None
    rows.note(impatient)
    impatient.close()


def test_a_writer_that_waits_gets_its_turn(database: Path, sqlite: SqliteRegistry) -> None:
    done: list[int] = []

    def write() -> None:
        theirs = SqliteRegistry(database)
        rows.note(theirs, "second")
        done.append(1)
        theirs.close()

    waiting = threading.Thread(target=write)
    with sqlite.change() as change:
        waiting.start()
        change.record(at=1, actor="a", action="b", subject="first", details="{}")
        assert not done
    waiting.join(20)
    assert [entry.subject for entry in sqlite.audit()] == ["first", "second"]


def _write_some(arguments: tuple[str, int]) -> int:
    path, number = arguments
    registry = SqliteRegistry(Path(path))
    for each in range(5):
        with registry.change() as change:
            change.add_client(rows.client(f"client-{number}-{each}"))
            change.record(at=1, actor=str(number), action="b", subject=str(each), details="{}")
    registry.close()
    return number


def test_processes_that_open_a_new_registry_at_once_all_write_what_they_have(database: Path) -> None:
    """Creation, migration, the switch to WAL and the last one's cleanup all meet here."""
    with get_context("forkserver").Pool(8) as pool:
        assert sorted(pool.map(_write_some, [(str(database), n) for n in range(16)], chunksize=1)) == list(range(16))
    registry = SqliteRegistry(database)
    assert registry.revision() == 80
    assert len(list(registry.summaries())) == 80
    assert broken_at(registry.audit()) is None
    registry.close()


@pytest.mark.parametrize("point", ["after the writes", "after a large write"])
def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_the_state_before_it(database: Path, point: str) -> None:
    before = SqliteRegistry(database)
    rows.fill(before, "acme")
    before.close()

    def die() -> None:
        registry = SqliteRegistry(database)
        with registry.change() as change:
            change.set_client_status("acme", ClientStatus.REVOKED)
            change.record(at=1, actor="a", action="b", subject="c", details="{}")
            if point == "after a large write":  # larger than the page cache: SQLite has written to the WAL by now
                for number in range(2_000):
                    change.record(at=1, actor="a", action="b", subject=str(number), details='"' + "x" * 4_000 + '"')
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    after = SqliteRegistry(database)
    assert after.client("acme").status is ClientStatus.ACTIVE
    assert list(after.audit()) == []
    assert after.revision() == 1
    rows.note(after)
    after.close()


def test_a_full_disk_is_said_and_the_next_write_works(sqlite: SqliteRegistry) -> None:
    rows.fill(sqlite, "acme")
    pages = sqlite._connection.execute("PRAGMA page_count").fetchone()[0]
    sqlite._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RegistryError, match="database or disk is full"), sqlite.change() as change:  # noqa: PT012 - the block is the transaction
        for number in range(100):
            change.record(at=1, actor="a", action="b", subject=str(number), details='"' + "x" * 4_000 + '"')
    sqlite._connection.execute("PRAGMA max_page_count = 1000000")
    assert list(sqlite.audit()) == []
    rows.note(sqlite)
    assert len(list(sqlite.audit())) == 1


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_audit_trail_can_only_grow(sqlite: SqliteRegistry, database: Path, statement: str) -> None:
    rows.note(sqlite)
    intruder = sqlite3.connect(database)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        intruder.execute(statement)
    intruder.close()
    assert len(list(sqlite.audit())) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 2",
        "UPDATE audit SET hash = 'é' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "UPDATE audit SET sequence = CASE sequence WHEN 2 THEN 30 ELSE sequence END",
    ],
)
def test_who_removes_the_triggers_is_found_by_the_chain(sqlite: SqliteRegistry, database: Path, statement: str) -> None:
    for name in ("a", "b", "c"):
        rows.note(sqlite, name)
    intruder = sqlite3.connect(database, isolation_level=None)
    intruder.execute("DROP TRIGGER audit_is_not_edited")
    intruder.execute("DROP TRIGGER audit_is_not_deleted")
    intruder.execute(statement)
    intruder.close()
    assert broken_at(sqlite.audit()) in {2, 3}


def test_a_registry_of_a_newer_version_is_refused(sqlite: SqliteRegistry, database: Path) -> None:
    sqlite._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(RegistryError, match=rf"has schema {len(MIGRATIONS) + 1}, this version knows") as refused:
        SqliteRegistry(database)
    assert refused.value.hint == "upgrade Handclasp"


def test_a_migration_that_fails_leaves_the_schema_before_it(
    sqlite: SqliteRegistry, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.fill(sqlite, "acme")
    sqlite.close()
    bad = "CREATE TABLE extra (x INTEGER) STRICT; INSERT INTO extra VALUES (1); INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "MIGRATIONS", (*MIGRATIONS, bad))
        with pytest.raises(RegistryError, match="no such table: nowhere"):
            SqliteRegistry(database)
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (x INTEGER) STRICT;"))
        upgraded = SqliteRegistry(database)
        assert upgraded.client("acme") == rows.client()
        assert upgraded._connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
        upgraded.close()
    with pytest.raises(RegistryError, match="has schema"):
        SqliteRegistry(database)


def test_a_file_that_is_no_database_is_damaged(database: Path) -> None:
    database.write_bytes(b"this is not a registry at all\n" * 100)
    with pytest.raises(RegistryDamaged, match="is damaged: file is not a database") as damaged:
        SqliteRegistry(database)
    assert damaged.value.hint == "restore it from a backup"


def test_a_page_of_garbage_is_damage(sqlite: SqliteRegistry, database: Path) -> None:
    rows.fill(sqlite, *(f"client-{n}" for n in range(300)))
    sqlite.close()
    content = bytearray(database.read_bytes())
    spoilt = len(content) // 2 // 4096 * 4096  # what describes the tables is in the first pages
    content[spoilt:] = b"\xa5" * (len(content) - spoilt)
    database.write_bytes(content)
    registry = SqliteRegistry(database)
    for read in (registry.summaries, registry.standings):
        with pytest.raises(RegistryDamaged, match="is damaged"):
            list(read())
    registry.close()


@pytest.mark.parametrize("after", ["removed", "replaced"])
def test_a_file_that_was_removed_or_replaced_while_it_was_open_is_said(
    sqlite: SqliteRegistry, database: Path, after: str
) -> None:
    """Through the open connection it would look unchanged for ever, and a revocation would never be seen."""
    rows.fill(sqlite, "acme")
    database.rename(database.with_suffix(".old"))
    if after == "replaced":
        database.write_bytes(b"")
    with pytest.raises(RegistryDamaged, match="was removed or replaced while it was open"):
        sqlite.has_changed()


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="cannot be opened: Is a directory"):
        SqliteRegistry(tmp_path)
    with pytest.raises(RegistryError, match="cannot be opened: No such file"):
        SqliteRegistry(tmp_path / "nowhere" / "registry.db")


def test_a_file_that_may_only_be_read_is_said(sqlite: SqliteRegistry, database: Path) -> None:
    sqlite.close()
    database.chmod(0o400)

    def open_it() -> None:
        become_nobody(database)
        with pytest.raises(RegistryError, match="cannot be opened: Permission denied"):
            SqliteRegistry(database)

    assert in_child(open_it) == 0


def test_a_connection_that_became_read_only_says_so(sqlite: SqliteRegistry) -> None:
    sqlite._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(RegistryError, match="cannot be used: attempt to write a readonly database"):
        rows.note(sqlite)
