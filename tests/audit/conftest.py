"""A trail in a real registry, and somebody who can write the database but cannot sign."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from handclasp.authority.audit.audit_trail import Trail, verify_trail
from handclasp.authority.audit.checkpoint import audit_public_key, checkpoint_now
from handclasp.custody.memory import MemoryCustody
from handclasp.registry.audit_chain import chained
from handclasp.registry.records import AuditCheckpoint, AuditEntry
from handclasp.registry.sqlite import SqliteRegistry
from tests import making
from tests.registry.rows import note


@dataclass
class Ledger:
    """`path` is the database; each `write` opens it anew, as a command would."""

    path: Path
    custody: MemoryCustody

    def write(self, entries: int) -> None:
        with closing(SqliteRegistry(self.path)) as registry:
            for number in range(entries):
                note(registry, f"client {number}")

    def sign(self) -> AuditCheckpoint:
        with closing(SqliteRegistry(self.path)) as registry:
            made = checkpoint_now(registry, self.custody, actor="tester")
        assert made is not None
        return made

    def verify(self, *noted: AuditCheckpoint) -> Trail:
        with closing(SqliteRegistry(self.path)) as registry:
            return verify_trail(registry, public_key=audit_public_key(self.custody), noted=noted)

    def entries(self) -> list[AuditEntry]:
        with closing(SqliteRegistry(self.path)) as registry:
            return list(registry.audit())

    def tamper(self, *statements: str | tuple[str, tuple[object, ...]]) -> None:
        """As somebody with the database file: the triggers that keep the trail append-only are his to drop."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER IF EXISTS audit_is_not_edited")
            connection.execute("DROP TRIGGER IF EXISTS audit_is_not_deleted")
            for each in statements:
                connection.execute(*((each,) if isinstance(each, str) else each))

    def overwrite(self, entries: list[AuditEntry]) -> None:
        rows = [tuple(getattr(entry, name) for name in AuditEntry.__slots__) for entry in entries]
        insert = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self.tamper("DELETE FROM audit", *((insert, row) for row in rows))


def rehashed(entries: list[AuditEntry]) -> list[AuditEntry]:
    """A chain without a flaw over whatever these say: what a careful forger leaves."""
    made: list[AuditEntry] = []
    for each in entries:
        last = made[-1] if made else None
        fields = {name: getattr(each, name) for name in ("at", "actor", "action", "subject", "details")}
        made.append(chained(last, **fields))
    return made


def renamed(entry: AuditEntry) -> AuditEntry:
    return replace(entry, actor=f"not {entry.actor}")


def custody() -> MemoryCustody:
    made = MemoryCustody()
    made.keep("intermediate", making.key())
    return made


def ledger_at(path: Path) -> Ledger:
    return Ledger(path, custody())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Ten entries and what signing adds, signed up to the ninth: 1 to 6, a checkpoint, its entry, three more, ..."""
    made = ledger_at(tmp_path / "registry.db")
    made.write(6)
    made.sign()
    made.write(2)
    made.sign()
    made.write(1)
    return made
