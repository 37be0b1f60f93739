"""Many writers on one PostgreSQL: they take turns, and none keeps the others out for long."""

import threading
from contextlib import closing
from multiprocessing import get_context

import pytest

from handclasp.errors import RegistryBusy, RegistryUnavailable
from handclasp.registry import postgresql as adapter
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.records import ClientStatus
from tests.postgresql import Server
from tests.registry import rows
from tests.registry.waiting import PATIENCE_S, seconds_until


def test_two_writers_take_turns(postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str) -> None:
    def write() -> None:
        with closing(PostgresqlRegistry(postgresql_url)) as theirs:
            rows.note(theirs, "second")

    def somebody_waits() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        return bool(postgresql.run(waiting, postgresql_url))

    second = threading.Thread(target=write)
    with postgres.change() as change:
        second.start()
        seconds_until(somebody_waits)
        change.record(at=1, actor="a", action="b", subject="first", details="{}")
    second.join(PATIENCE_S)
    assert [entry.subject for entry in postgres.audit()] == ["first", "second"]
    assert broken_at(postgres.audit()) is None


def test_a_writer_that_waited_too_long_says_what_is_in_the_way(
    postgres: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BUSY_TIMEOUT_S", 0.05)
    with closing(PostgresqlRegistry(postgresql_url)) as impatient:
        with postgres.change(), pytest.raises(RegistryBusy, match="was held by another writer") as busy:
            rows.note(impatient)
        assert busy.value.hint is not None
        rows.note(impatient)


def test_a_writer_that_stopped_in_the_middle_keeps_the_others_out_no_longer_than_they_wait(
    postgres: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.fill(postgres, "acme")
    monkeypatch.setattr(adapter, "BUSY_TIMEOUT_S", 1.0)
    with closing(PostgresqlRegistry(postgresql_url)) as stopped:
        with pytest.raises(RegistryUnavailable), stopped.change() as change:  # noqa: PT012 - the block is the transaction
            change.set_client_status("acme", ClientStatus.REVOKED)
            rows.note(postgres)  # waits until the server has ended the other's transaction
            change.record(at=1, actor="a", action="b", subject="late", details="{}")
        assert postgres.client("acme").status is ClientStatus.ACTIVE
        assert [entry.subject for entry in stopped.audit()] == ["acme"]


def _write_some(arguments: tuple[str, int]) -> int:
    url, number = arguments
    with closing(PostgresqlRegistry(url)) as registry:
        for each in range(5):
            with registry.change() as change:
                change.add_client(rows.client(f"client-{number}-{each}"))
                change.record(at=1, actor=str(number), action="b", subject=str(each), details="{}")
    return number


def test_processes_that_open_a_new_registry_at_once_all_write_what_they_have(postgresql: Server) -> None:
    url = postgresql.create(template="template0")
    with get_context("forkserver").Pool(8) as pool:
        assert sorted(pool.map(_write_some, [(url, n) for n in range(16)], chunksize=1)) == list(range(16))
    with closing(PostgresqlRegistry(url)) as registry:
        assert registry.revision() == 80
        assert len(list(registry.summaries())) == 80
        assert broken_at(registry.audit()) is None
    postgresql.drop(url)


def test_fifty_that_enrol_at_once_lose_nothing(postgres: PostgresqlRegistry, postgresql_url: str) -> None:
    rows.fill(postgres)
    ready = threading.Barrier(50)
    failed: list[BaseException] = []

    def enrol(number: int) -> None:
        try:
            with closing(PostgresqlRegistry(postgresql_url)) as mine:
                ready.wait(PATIENCE_S)
                with mine.change() as change:
                    change.add_client(rows.client(f"client-{number}"))
                    change.add_certificate(rows.certificate(number, f"client-{number}"))
                    change.record(at=1, actor="a", action="client.enrol", subject=str(number), details="{}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(1, 51)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert not failed
    assert postgres.revision() == 51
    assert len(postgres.holdings()) == 50
    assert sorted(int(entry.subject) for entry in postgres.audit()) == list(range(1, 51))
    assert broken_at(postgres.audit()) is None
