"""Whoever can write the database is found out: at once, or against a checkpoint that was noted elsewhere."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from handclasp.registry.audit_chain import checkpoint_text
from handclasp.registry.records import AuditEntry
from tests.audit.conftest import Ledger, ledger_at, rehashed, renamed

#: Entries of the trail below; entry 7 tells of the key, 9 is signed, 10 is not.
ENTRIES, SIGNED = 10, 9


def test_a_trail_that_nobody_touched_is_whole(ledger: Ledger) -> None:
    found = ledger.verify()
    assert (found.faults, found.entries, found.checkpoints) == ((), ENTRIES, 2)
    assert found.checkpoint is not None
    assert found.checkpoint.sequence == SIGNED
    assert found.head == ledger.entries()[-1].hash


def _edited(entries: list[AuditEntry], at: int) -> list[AuditEntry]:
    return [*entries[: at - 1], renamed(entries[at - 1]), *entries[at:]]


def _deleted(entries: list[AuditEntry], at: int) -> list[AuditEntry]:
    return [*entries[: at - 1], *entries[at:]]


def _swapped(entries: list[AuditEntry], at: int) -> list[AuditEntry]:
    one, other = entries[at - 1], entries[at % len(entries)]
    swapped = {
        one.sequence: replace(other, sequence=one.sequence),
        other.sequence: replace(one, sequence=other.sequence),
    }
    return [swapped.get(each.sequence, each) for each in entries]


def _cut(entries: list[AuditEntry], at: int) -> list[AuditEntry]:
    return entries[: at - 1]


FORGERIES = {"edit": _edited, "delete": _deleted, "swap": _swapped, "cut": _cut}


@settings(max_examples=80)
@given(st.sampled_from(sorted(FORGERIES)), st.integers(1, ENTRIES), st.booleans(), st.booleans())
def test_any_forgery_up_to_the_last_checkpoint_is_found(kind: str, at: int, careful: bool, thorough: bool) -> None:
    """A careful forger computes every hash anew; a thorough one removes the checkpoints that would contradict him."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_at(Path(folder) / "registry.db")
        ledger.write(6)
        first = ledger.sign()
        ledger.write(2)
        second = ledger.sign()
        ledger.write(1)
        forged = FORGERIES[kind](ledger.entries(), at)
        ledger.overwrite(rehashed(forged) if careful else forged)
        if thorough:
            ledger.tamper(("DELETE FROM checkpoint WHERE sequence >= ?", (at,)))
        signed_change = at <= SIGNED
        if signed_change:
            assert ledger.verify(first, second).faults, "a checkpoint noted elsewhere shows it"
        if signed_change and not thorough:
            assert ledger.verify().faults, "a stored checkpoint shows it"
        if not careful and kind != "cut" and not (kind == "delete" and at == ENTRIES):
            assert ledger.verify().faults, "the chain itself shows it"


def test_the_chain_names_the_entry_that_was_edited(ledger: Ledger) -> None:
    ledger.overwrite(_edited(ledger.entries(), 4))
    assert ledger.verify().faults[0].startswith("audit entry 4 does not follow from the one before")


def test_a_tail_that_was_cut_off_is_found_by_the_stored_checkpoint(ledger: Ledger) -> None:
    ledger.tamper("DELETE FROM audit WHERE sequence > 7")
    assert ledger.verify().faults == (
        "the trail ends at entry 7, and a stored checkpoint is for entry 9: entries were cut off",
    )


def test_a_tail_cut_off_with_its_checkpoints_is_found_by_the_one_noted_elsewhere(ledger: Ledger) -> None:
    noted = ledger.sign()
    ledger.tamper("DELETE FROM audit WHERE sequence > 5", "DELETE FROM checkpoint")
    assert ledger.verify().faults == ()
    assert ledger.verify(noted).faults == (
        "the trail ends at entry 5, and a checkpoint noted elsewhere is for entry 10: entries were cut off",
    )


def test_a_chain_rewritten_from_some_entry_on_is_found(ledger: Ledger) -> None:
    ledger.overwrite(rehashed(_edited(ledger.entries(), 3)))
    assert ledger.verify().faults == (
        "audit entry 6 is not the one that a stored checkpoint has: it was rewritten",
        "audit entry 9 is not the one that a stored checkpoint has: it was rewritten",
    )


def test_a_removed_checkpoint_is_found_by_the_one_noted_elsewhere(ledger: Ledger) -> None:
    noted = ledger.sign()
    ledger.tamper("DELETE FROM checkpoint WHERE sequence = 10")
    assert ledger.verify(noted).faults == (
        "the checkpoint at entry 10 is noted elsewhere, and was removed from the registry",
    )


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE checkpoint SET at = at + 1 WHERE sequence = 9", "the signature of the stored checkpoint at entry 9"),
        ("UPDATE checkpoint SET hash = 'ff' || substr(hash, 3) WHERE sequence = 9", "the signature of the stored"),
        (
            "UPDATE checkpoint SET signature = '' WHERE sequence = 9",
            "the signature of the stored checkpoint at entry 9",
        ),
        ("UPDATE checkpoint SET signature = 'é' WHERE sequence = 9", "the signature of the stored checkpoint"),
        ("UPDATE checkpoint SET sequence = 8 WHERE sequence = 9", "the signature of the stored checkpoint at entry 8"),
        ("UPDATE checkpoint SET public_key = 'zz' WHERE sequence = 9", "at entry 9 is signed by another key"),
    ],
)
def test_a_checkpoint_that_was_changed_is_found(ledger: Ledger, statement: str, fault: str) -> None:
    ledger.tamper(statement)
    assert any(fault in each for each in ledger.verify().faults)


def test_a_trail_rewritten_and_signed_with_a_key_of_the_forgers_own_is_found(ledger: Ledger) -> None:
    entries = rehashed(_edited(ledger.entries(), 3))
    key = Ed25519PrivateKey.generate()
    head = entries[-1]
    signature = key.sign(checkpoint_text(head.sequence, head.hash, 5)).hex()
    own = (head.sequence, head.hash, 5, key.public_key().public_bytes_raw().hex(), signature)
    ledger.overwrite(entries)
    ledger.tamper("DELETE FROM checkpoint", ("INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?)", own))
    assert ledger.verify().faults == ("the stored checkpoint at entry 10 is signed by another key",)


def test_a_note_without_a_signature_counts_too(ledger: Ledger) -> None:
    """What `audit verify` prints is a number and a hash, and may have been written on paper."""
    entry = ledger.entries()[4]
    noted = replace(ledger.sign(), sequence=entry.sequence, hash=entry.hash, public_key="", signature="")
    assert ledger.verify(noted).faults == ()
    ledger.overwrite(rehashed(_edited(ledger.entries(), 2)))
    assert "audit entry 5 is not the one that a checkpoint noted elsewhere has" in str(ledger.verify(noted).faults)


def test_what_a_signature_covers_is_pinned() -> None:
    """Checkpoints are kept for years: what they sign must not change."""
    assert checkpoint_text(7, "ab", 5) == b'handclasp audit checkpoint 1\n[7,"ab",5]'


@pytest.mark.parametrize("details", ["[]", "{}", '{"kept_entries": "x", "trail_cut": true}', '{"trail_cut": 1}'])
def test_an_entry_that_only_looks_like_a_restore_explains_nothing(ledger: Ledger, details: str) -> None:
    noted = ledger.sign()
    entries = [replace(ledger.entries()[0], action="registry.restore", details=details)]
    ledger.overwrite(rehashed(entries))
    ledger.tamper("DELETE FROM checkpoint")
    found = ledger.verify(noted)
    assert (len(found.faults), found.explanations) == (1, ())
