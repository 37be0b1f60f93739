"""The audit trail's hash chain: any edit, deletion or reorder of what is followed by another entry is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.registry.audit_chain import GENESIS, audit_hash, broken_at, chained
from handclasp.registry.port import Registry
from handclasp.registry.records import AuditEntry
from tests.registry import rows

TEXT = st.text(max_size=20)


@st.composite
def trails(draw: st.DrawFn, at_least: int = 2) -> list[AuditEntry]:
    trail: list[AuditEntry] = []
    for number in range(draw(st.integers(min_value=at_least, max_value=6))):
        last = trail[-1] if trail else None
        trail.append(
            chained(last, at=number, actor=draw(TEXT), action=draw(TEXT), subject=draw(TEXT), details=draw(TEXT))
        )
    return trail


def with_field(entry: AuditEntry, name: str, value: object) -> AuditEntry:
    return replace(entry, **{name: value})  # type: ignore[arg-type]


@given(trails(at_least=0))
def test_a_trail_that_nobody_touched_is_whole(trail: list[AuditEntry]) -> None:
    assert broken_at(trail) is None


@given(trails(), st.data())
def test_an_edit_of_any_field_of_any_entry_is_found(trail: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(min_value=0, max_value=len(trail) - 1))
    name = data.draw(st.sampled_from(["at", "actor", "action", "subject", "details", "previous", "hash", "sequence"]))
    old = getattr(trail[at], name)
    new = data.draw((st.integers() if isinstance(old, int) else TEXT).filter(lambda value: value != old))
    edited = [*trail[:at], with_field(trail[at], name, new), *trail[at + 1 :]]
    assert broken_at(edited) == edited[at].sequence


@given(trails(), st.data())
def test_a_deletion_is_found_at_the_entry_that_followed(trail: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(min_value=0, max_value=len(trail) - 2))
    assert broken_at([*trail[:at], *trail[at + 1 :]]) == trail[at + 1].sequence


@given(trails(), st.data())
def test_a_reorder_is_found(trail: list[AuditEntry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(trail).filter(lambda order: order != trail))
    assert broken_at(shuffled) is not None


@given(trails())
def test_an_entry_that_is_hashed_again_breaks_the_next_one(trail: list[AuditEntry]) -> None:
    """Who edits an entry and its hash has to edit every later one too."""
    first = trail[0]
    forged = replace(first, actor="nobody")
    again = audit_hash(1, first.at, "nobody", first.action, first.subject, first.details, GENESIS)
    found = broken_at([replace(forged, hash=again), *trail[1:]])
    assert found == (None if first.actor == "nobody" else 2)


def test_fields_cannot_spill_into_their_neighbours() -> None:
    assert audit_hash(1, 1, "ab", "c", "", "", GENESIS) != audit_hash(1, 1, "a", "bc", "", "", GENESIS)
    assert audit_hash(1, 1, 'a","b', "c", "", "", GENESIS) != audit_hash(1, 1, "a", 'b","c', "", "", GENESIS)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_what_a_registry_records_is_a_whole_chain_from_the_first_day(registry: Registry, count: int) -> None:
    for number in range(count):
        rows.note(registry, f"client {number}")
    with registry.change() as change:
        for number in range(2):
            change.record(at=9, actor="a", action="b", subject=str(number), details='{"x": "é"}')
    entries = list(registry.audit())
    assert broken_at(entries) is None
    assert entries[0].previous == GENESIS
    assert len(entries) == count + 2
