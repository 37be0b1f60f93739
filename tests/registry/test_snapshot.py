"""A registry taken out and put into another: equal again, of one moment, and never over what is there."""

from collections.abc import Iterable

import pytest

from handclasp.errors import AlreadyEstablished, RegistryDamaged
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.port import Registry, Row
from handclasp.registry.records import ClientStatus
from tests.registry import rows
from tests.registry.conftest import NewRegistry

SQL = ["sqlite", "postgresql"]


def _sorted(snapshot: Iterable[Row]) -> list[str]:
    """Rows of one table may come in any order of the adapter's."""
    return sorted(repr((table, sorted(row.items()))) for table, row in snapshot)


def _seen(registry: Registry) -> list[object]:
    """Everything a caller can ask for."""
    certificates = [each for client in registry.summaries() for each in registry.certificates(client.client.client_id)]
    return [
        *registry.summaries(),
        *certificates,
        *registry.issuers(),
        *registry.audit(),
        *registry.checkpoints(),
        *registry.operations(),
        *registry.refusals(),
        registry.sighting("fingerprint-1"),
        registry.noticed("certificate:1:30d"),
        registry.revision(),
        registry.certificate("issuer-1", "8"),
        registry.superseding(9_999),
    ]


@pytest.mark.parametrize("other", SQL)
@pytest.mark.parametrize("first", SQL)
def test_a_snapshot_of_one_kind_loaded_into_another_and_back_is_equal(
    new_registry: NewRegistry, first: str, other: str
) -> None:
    origin, copy, back = new_registry(first), new_registry(other), new_registry(first)
    rows.fill_every_table(origin)
    copy.load(origin.snapshot())
    back.load(copy.snapshot())
    assert _sorted(back.snapshot()) == _sorted(copy.snapshot()) == _sorted(origin.snapshot())
    assert _seen(back) == _seen(copy) == _seen(origin)


def test_every_table_is_in_the_snapshot_and_parents_come_before_children(new_registry: NewRegistry) -> None:
    registry = new_registry("postgresql")
    rows.fill_every_table(registry)
    tables = list(dict.fromkeys(table for table, _ in registry.snapshot()))
    assert tables == [
        *("revision", "issuer", "client", "certificate", "audit"),
        *("checkpoint", "operation", "sighting", "refusal", "notice"),
    ]
    present = registry._execute(  # type: ignore[attr-defined]
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ).fetchall()
    assert {name for (name,) in present} == {*tables, "gateway", "handclasp_schema"}


def test_its_own_kind_is_loaded_and_goes_on_from_there(kind: str, new_registry: NewRegistry) -> None:
    origin, copy = new_registry(kind), new_registry(kind)
    rows.fill_every_table(origin)
    copy.has_changed()
    copy.load(origin.snapshot())
    assert copy.has_changed()
    assert _seen(copy) == _seen(origin)
    with copy.change() as change:  # its numbers go on after the loaded ones
        change.add_issuer(rows.issuer(3, "issuer-1"))
        change.add_certificate(rows.certificate(20, "gamma"))
        change.add_operation(rows.operation("op-3"))
        change.record(at=3, actor="a", action="b", subject="e", details="{}")
        change.set_client_status("acme", ClientStatus.SUSPENDED)
    assert copy.revision() == origin.revision() + 1
    assert [each.operation_id for each in copy.operations()] == ["op-3", "op-2", "op-1"]
    assert [each.issuer_id for each in copy.issuers()] == ["issuer-1", "issuer-2", "issuer-3"]
    assert broken_at(copy.audit()) is None
    assert len(list(copy.audit())) == 3


def test_an_empty_snapshot_makes_an_empty_registry(kind: str, new_registry: NewRegistry) -> None:
    copy = new_registry(kind)
    copy.load(new_registry(kind).snapshot())
    assert copy.revision() == 0
    rows.fill(copy, "acme")


def test_loading_over_what_is_there_is_refused_and_changes_nothing(kind: str, new_registry: NewRegistry) -> None:
    origin, taken = new_registry(kind), new_registry(kind)
    rows.fill_every_table(origin)
    rows.fill(taken, "mine")
    with pytest.raises(AlreadyEstablished, match="there is an authority in this registry already"):
        taken.load(origin.snapshot())
    assert [each.client.client_id for each in taken.summaries()] == ["mine"]


@pytest.mark.parametrize("kind", SQL)
@pytest.mark.parametrize(
    ("row", "what"),
    [
        (("sqlite_master", {"name": "x"}), "unknown table 'sqlite_master'"),
        (("notice", {"name": "x"}), "notice has other columns"),
        (("notice", {"name": "x", "sent_at": 1, "also": 2}), "notice has other columns"),
        (("notice", {"name": "x", "sent_at) --": 1}), "notice has other columns"),
    ],
)
def test_what_is_no_snapshot_is_refused_and_leaves_nothing(
    new_registry: NewRegistry, kind: str, row: Row, what: str
) -> None:
    origin, copy = new_registry(kind), new_registry(kind)
    rows.fill_every_table(origin)
    with pytest.raises(RegistryDamaged, match=what):
        copy.load([*origin.snapshot(), row])
    assert copy.issuers() == []
    assert list(copy.audit()) == []


def test_a_snapshot_is_of_one_moment_while_others_go_on_writing(kind: str, new_registry: NewRegistry) -> None:
    registry, copy = new_registry(kind), new_registry(kind)
    rows.fill_every_table(registry)
    before = _seen(registry)
    snapshot = registry.snapshot()
    taken = [next(snapshot)]
    with registry.change() as change:
        change.add_client(rows.client("late"))
        change.record(at=9, actor="a", action="b", subject="late", details="{}")
        change.set_client_status("beta", ClientStatus.SUSPENDED)
    copy.load([*taken, *snapshot])
    assert _seen(copy) == before
    assert _seen(registry) != before


def test_a_snapshot_left_half_read_keeps_nobody_from_writing(kind: str, new_registry: NewRegistry) -> None:
    registry = new_registry(kind)
    rows.fill_every_table(registry)
    snapshot = registry.snapshot()
    next(snapshot)
    del snapshot
    rows.note(registry)


def test_replaced_rows_are_what_was_made_of_the_old_ones(kind: str, new_registry: NewRegistry) -> None:
    """`restore` merges what it brings with what is there, and nobody writes in between."""
    origin, registry = new_registry(kind), new_registry(kind)
    rows.fill_every_table(origin)
    rows.fill(registry, "mine")
    rows.note(registry)
    given: list[Row] = []

    def merge(old: list[Row]) -> Iterable[Row]:
        given.extend(old)
        return origin.snapshot()

    registry.replace(merge)
    assert given
    assert _seen(registry) == _seen(origin)
    rows.note(registry, "afterwards")
    assert broken_at(registry.audit()) is None
    assert registry.has_changed()


def test_a_replacement_that_fails_leaves_what_was_there(kind: str, new_registry: NewRegistry) -> None:
    registry = new_registry(kind)
    rows.fill_every_table(registry)
    before = _seen(registry)

    def fail(_old: list[Row]) -> Iterable[Row]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        registry.replace(fail)
    assert _seen(registry) == before
