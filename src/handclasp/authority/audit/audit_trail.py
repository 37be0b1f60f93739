"""Is the audit trail whole? The chain, every stored checkpoint, and what was noted of it elsewhere.

Who can write the database can rewrite the whole chain, and remove checkpoints; he cannot sign, and he cannot reach
what was noted elsewhere. So a checkpoint from elsewhere is the stronger witness: it shows a tail cut off together with
the checkpoints that covered it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from handclasp.authority.audit.checkpoint import is_signed
from handclasp.registry.audit_chain import GENESIS, broken_at
from handclasp.registry.port import Registry
from handclasp.registry.records import AuditCheckpoint, AuditEntry

RESTORED = "registry.restore"


@dataclass(frozen=True, slots=True)
class Restore:
    """An entry that says: here a backup was brought back, and the entries after `kept` were given up."""

    sequence: int
    at: int
    actor: str
    kept: int


@dataclass(frozen=True, slots=True)
class Trail:
    """What was found. `faults` are sentences; none means that the trail is whole as far as anyone can tell."""

    entries: int
    head: str
    checkpoints: int
    checkpoint: AuditCheckpoint | None
    faults: tuple[str, ...]
    explanations: tuple[str, ...]


@dataclass
class _Reading:
    entries: int = 0
    head: str = GENESIS
    restores: list[Restore] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)


def verify_trail(registry: Registry, *, public_key: str | None, noted: Sequence[AuditCheckpoint] = ()) -> Trail:
    """Read the whole trail once. `public_key` (hex) is whose signature counts; None if there is nothing signed.

    `noted` are checkpoints from elsewhere; one without a signature is a number and a hash that somebody noted.
    """
    stored = registry.checkpoints()  # before the entries: those only grow
    faults = [text for each in stored if (text := _forged(each, public_key, "stored"))]
    faults += [text for each in noted if each.signature and (text := _forged(each, public_key, "noted"))]
    reading = _Reading()
    broken = broken_at(_watched(registry, reading, {each.sequence for each in (*stored, *noted)}))
    if broken is not None:
        faults.insert(
            0,
            f"audit entry {broken} does not follow from the one before: it was edited, or entries before it were "
            "removed or moved",
        )
        # What comes after a break proves nothing.
        return Trail(reading.entries, reading.head, len(stored), None, tuple(faults), ())
    faults += [text for each in stored if (text := _contradicted(each, reading, "a stored checkpoint"))]
    explanations = []
    signed = {(each.sequence, each.signature) for each in stored}
    for each in noted:
        text = _contradicted(each, reading, "a checkpoint noted elsewhere")
        if text is None and each.signature and (each.sequence, each.signature) not in signed:
            text = f"the checkpoint at entry {each.sequence} is noted elsewhere, and was removed from the registry"
        if text:
            faults.append(text)
            explanations += [_explanation(restore) for restore in reading.restores if restore.kept < each.sequence]
    last = stored[-1] if stored else None
    return Trail(reading.entries, reading.head, len(stored), last, tuple(faults), tuple(dict.fromkeys(explanations)))


def _watched(registry: Registry, reading: _Reading, wanted: set[int]) -> Iterator[AuditEntry]:
    for entry in registry.audit():
        reading.entries, reading.head = entry.sequence, entry.hash
        if entry.sequence in wanted:
            reading.hashes[entry.sequence] = entry.hash
        if entry.action == RESTORED and (restore := _restore(entry)):
            reading.restores.append(restore)
        yield entry


def _restore(entry: AuditEntry) -> Restore | None:
    """None for a restore that kept the whole trail: it explains nothing that is missing."""
    try:
        told = json.loads(entry.details)
        return Restore(entry.sequence, entry.at, entry.actor, int(told["kept_entries"])) if told["trail_cut"] else None
    except (ValueError, TypeError, KeyError):
        return None


def _forged(checkpoint: AuditCheckpoint, public_key: str | None, where: str) -> str | None:
    if checkpoint.public_key != public_key:
        return f"the {where} checkpoint at entry {checkpoint.sequence} is signed by another key"
    if not is_signed(checkpoint):
        return f"the signature of the {where} checkpoint at entry {checkpoint.sequence} is wrong"
    return None


def _contradicted(checkpoint: AuditCheckpoint, reading: _Reading, what: str) -> str | None:
    if checkpoint.sequence > reading.entries:
        return (
            f"the trail ends at entry {reading.entries}, and {what} is for entry {checkpoint.sequence}: "
            "entries were cut off"
        )
    if reading.hashes.get(checkpoint.sequence) != checkpoint.hash:
        return f"audit entry {checkpoint.sequence} is not the one that {what} has: it was rewritten"
    return None


def _explanation(restore: Restore) -> str:
    return (
        f"entry {restore.sequence} says that {restore.actor} restored a backup and gave up what came after entry "
        f"{restore.kept}; if you know of that restore, note a new checkpoint"
    )
