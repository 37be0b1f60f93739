"""The audit trail's hash chain: each entry's hash covers its content and the hash before it.

Editing, deleting or reordering an entry changes a hash that the next one repeats, so `broken_at` finds it.
"""

import json
from collections.abc import Iterable
from hashlib import sha256

from handclasp.registry.records import AuditEntry

#: What the first entry follows.
GENESIS = "0" * 64
#: Made once: `json.dumps` would make an encoder for every entry, half of what an entry costs.
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def audit_hash(sequence: int, at: int, actor: str, action: str, subject: str, details: str, previous: str) -> str:
    """SHA-256 over the fields as a JSON array: unlike joined text, no field can spill into its neighbour."""
    fields = [sequence, at, actor, action, subject, details, previous]
    return sha256(_ENCODE(fields).encode()).hexdigest()


def chained(last: AuditEntry | None, *, at: int, actor: str, action: str, subject: str, details: str) -> AuditEntry:
    """The entry that follows `last` (None: the first one)."""
    sequence = last.sequence + 1 if last else 1
    previous = last.hash if last else GENESIS
    return AuditEntry(
        sequence,
        at,
        actor,
        action,
        subject,
        details,
        previous,
        audit_hash(sequence, at, actor, action, subject, details, previous),
    )


def broken_at(entries: Iterable[AuditEntry]) -> int | None:
    """The sequence number of the first entry that does not follow from the one before; None if all do."""
    last: AuditEntry | None = None
    for entry in entries:
        expected = chained(
            last, at=entry.at, actor=entry.actor, action=entry.action, subject=entry.subject, details=entry.details
        )
        if entry != expected:
            return entry.sequence
        last = entry
    return None


def checkpoint_text(sequence: int, digest: str, at: int) -> bytes:
    """What a checkpoint's signature covers. The first line keeps it from being taken for anything else."""
    return b"handclasp audit checkpoint 1\n" + json.dumps([sequence, digest, at], separators=(",", ":")).encode()
