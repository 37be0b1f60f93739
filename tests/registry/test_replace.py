"""`replace`: every row in the place of every row, as one transaction, under the write lock."""

import threading
from pathlib import Path

import pytest

from handclasp.errors import RegistryDamaged
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.port import Registry, Row
from handclasp.registry.records import AuditCheckpoint, ClientStatus
from handclasp.registry.snapshot_tables import ORDER
from handclasp.registry.sql.registry import TABLES
from handclasp.registry.sqlite import SqliteRegistry
from tests.registry import rows


def test_what_it_gives_is_what_is_there_afterwards(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta")
    rows.note(registry)
    before = list(registry.snapshot())
    with registry.change() as change:
        change.set_client_status("acme", ClientStatus.REVOKED)
    rows.note(registry)
    registry.has_changed()
    registry.replace(lambda _: before)
    assert list(registry.snapshot()) == before
    assert registry.client("acme").status is ClientStatus.ACTIVE
    assert registry.has_changed()
    rows.note(registry)
    assert broken_at(registry.audit()) is None


def test_it_is_given_every_row_there_is(registry: Registry) -> None:
    rows.fill(registry, "acme", "beta")
    rows.note(registry)
    given: list[Row] = []

    def same(found: list[Row]) -> list[Row]:
        given.extend(found)
        return found

    before = list(registry.snapshot())
    registry.replace(same)
    assert given == before == list(registry.snapshot())


def test_an_error_in_between_changes_nothing(registry: Registry) -> None:
    rows.fill(registry, "acme")
    before = list(registry.snapshot())

    def fails(_: list[Row]) -> list[Row]:
        raise KeyError("no")

    with pytest.raises(KeyError):
        registry.replace(fails)
    with pytest.raises(RegistryDamaged):
        registry.replace(lambda found: [*found, ("weather", {"sun": 1})])
    assert list(registry.snapshot()) == before


def test_the_last_checkpoint_is_the_one_of_the_newest_entry(registry: Registry) -> None:
    assert registry.last_checkpoint() is None
    made = [AuditCheckpoint(number, "00", 1, "00", "00") for number in (1, 2)]
    with registry.change() as change:
        for each in made:
            change.add_checkpoint(each)
        assert change.last_checkpoint() == made[1]
    assert registry.last_checkpoint() == made[1]


def test_a_change_that_comes_in_meanwhile_waits_and_is_not_lost(database: Path) -> None:
    first = SqliteRegistry(database)
    rows.fill(first, "acme")
    started = threading.Event()

    def revoke() -> None:
        other = SqliteRegistry(database)
        started.set()
        with other.change() as change:
            change.set_client_status("acme", ClientStatus.REVOKED)
        other.close()

    thread = threading.Thread(target=revoke)

    def while_held(found: list[Row]) -> list[Row]:
        thread.start()
        started.wait(10)
        return found

    first.replace(while_held)
    thread.join(30)
    assert first.client("acme").status is ClientStatus.REVOKED
    first.close()


def test_the_tables_of_a_snapshot_are_known_where_it_is_merged() -> None:
    assert tuple(TABLES) == ORDER
