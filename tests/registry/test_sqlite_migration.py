"""A registry that an earlier version made is opened by this one with every row in its place."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from handclasp.errors import RegistryError
from handclasp.registry.audit_chain import broken_at, chained
from handclasp.registry.records import (
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerKind,
    IssuerStatus,
    RevocationReason,
)
from handclasp.registry.sqlite import SqliteRegistry
from handclasp.registry.sqlite_schema import MIGRATIONS
from tests.registry import rows

ROOT = ("root-1", "root", "CN=Root", "1a", "f-root", 0, 9_000, "active", "root", None, 1_000, b"root")
ISSUING = ("ca-1", "intermediate", "CN=CA", "2b", "f-ca", 0, 8_000, "active", "ca", "root-1", 1_000, b"ca")
RETIRED = ("ca-0", "intermediate", "CN=Old", "3c", "f-old", 0, 7_000, "retired", None, "root-1", 500, b"old")
CLIENTS = [
    ("Acme-Prod", "prod", "nextjs", "Team A", "a@example.org", "active", 1_001, 2),
    ("beta", "staging", "api", None, None, "suspended", 1_002, 5),
]
#: Serial number, client, status, revocation, delivered_at, revision: what each was made by stands in the trail below.
CERTIFICATES = [
    ("aa01", "acme-prod", "active", None, None, 1_003, 2),
    ("aa02", "Acme-Prod", "revoked", 1_500, "superseded", 1_004, 4),
    ("aa03", "beta", "active", None, None, None, 5),
    ("aa04", None, "active", None, None, None, 3),
    ("aa05", "beta", "active", None, None, 1_006, 6),
]
TRAIL = [
    ("authority.init", "Root", {"organization": "Example"}),
    ("client.enrol", "Acme-Prod", {"serial_number": "aa02", "own_csr": False}),
    ("client.renew", "Acme-Prod", {"serial_number": "aa01", "own_csr": True}),
    ("client.enrol", "beta", {"serial_number": "aa03", "own_csr": False}),
    ("server.issue", "localhost", {"serial_number": "aa04"}),
    ("client.adopt", "beta", {"serial_number": "aa05"}),
    ("certificate.revoke", "Acme-Prod", {"serial_number": "aa02", "reason": "superseded"}),
]


@pytest.fixture
def trail() -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for action, subject, facts in TRAIL:
        last = entries[-1] if entries else None
        entries.append(
            chained(last, at=1_000, actor="user:op", action=action, subject=subject, details=json.dumps(facts))
        )
    return entries


@pytest.fixture
def migrated(database: Path, trail: list[AuditEntry]) -> Iterator[SqliteRegistry]:
    with closing(sqlite3.connect(database)) as old:
        old.executescript(MIGRATIONS[0])
        old.execute("UPDATE revision SET value = 6")
        for issuer in (ROOT, ISSUING, RETIRED):  # the order rows were written in is not that of their times
            _insert(old, "issuer", issuer)
        for client in CLIENTS:
            _insert(old, "client", client)
        for serial, owner, status, revoked_at, reason, delivered_at, revision in CERTIFICATES:
            key = ("ca-1", serial, f"f-{serial}", owner, "client", f"CN={owner}", f"k-{serial}", 10, 6_000)
            state = (status, 1_003, b"\x30" + serial.encode(), revoked_at, reason, delivered_at, revision)
            _insert(old, "certificate", (*key, *state))
        for entry in trail:
            _insert(old, "audit", astuple(entry))
        old.execute("PRAGMA user_version = 1")
        old.commit()
    with closing(SqliteRegistry(database)) as registry:
        yield registry


def _issuer(row: tuple[Any, ...]) -> Issuer:
    issuer_id, kind, subject, serial, fingerprint, not_before, not_after, status, *rest = row
    named = (issuer_id, IssuerKind(kind), subject, serial, fingerprint)
    return Issuer(*named, not_before, not_after, IssuerStatus(status), *rest)


def _insert(database: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in row)})", row)  # noqa: S608 - our own rows


def test_issuers_and_clients_are_what_they_were(migrated: SqliteRegistry) -> None:
    assert migrated.issuers() == [_issuer(RETIRED), _issuer(ROOT), _issuer(ISSUING)]
    assert [each.client for each in migrated.summaries()] == [
        Client("Acme-Prod", "prod", "nextjs", "Team A", "a@example.org", ClientStatus.ACTIVE, 1_001),
        Client("beta", "staging", "api", None, None, ClientStatus.SUSPENDED, 1_002),
    ]


def test_certificates_are_what_they_were_and_the_trail_says_whose_key_is_the_clients_own(
    migrated: SqliteRegistry,
) -> None:
    own = {"aa01", "aa05"}  # renewed with a CSR; adopted from another authority
    for serial, client, status, revoked_at, reason, delivered_at, _ in CERTIFICATES:
        assert migrated.certificate("ca-1", serial) == Certificate(
            issuer_id="ca-1",
            serial_number=serial,
            fingerprint=f"f-{serial}",
            client_id=client,
            profile="client",
            subject=f"CN={client}",
            public_key_id=f"k-{serial}",
            not_before=10,
            not_after=6_000,
            status=CertificateStatus(status),
            created_at=1_003,
            der=b"\x30" + serial.encode(),
            revoked_at=revoked_at,
            revocation_reason=RevocationReason(reason) if reason else None,
            delivered_at=delivered_at,
            own_csr=serial in own,
        )
    assert [each.serial_number for each in migrated.certificates("ACME-PROD")] == ["aa01", "aa02"], "in their order"


def test_revisions_stay_so_that_no_gateway_misses_a_change(migrated: SqliteRegistry) -> None:
    assert migrated.revision() == 6
    assert {each.certificate.serial_number for each in migrated.standings(since=5)} == {"aa05"}
    assert {each.certificate.serial_number for each in migrated.standings(since=4)} == {"aa03", "aa05"}
    assert len(list(migrated.standings())) == 4


def test_the_trail_is_untouched_and_still_only_grows(migrated: SqliteRegistry, trail: list[AuditEntry]) -> None:
    assert list(migrated.audit()) == trail
    assert broken_at(migrated.audit()) is None
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        migrated._connection.execute("DELETE FROM audit")


def test_it_is_used_like_a_new_one(migrated: SqliteRegistry) -> None:
    assert migrated._connection.execute("PRAGMA foreign_key_check").fetchall() == []
    rows.note(migrated)
    with pytest.raises(RegistryError, match="refuses the change"), migrated.change() as change:
        change.add_certificate(rows.certificate(1, "nobody"))
    with migrated.change() as change:
        change.add_issuer(rows.issuer(1))
        change.set_issuer_status("issuer-1", IssuerStatus.PENDING)
        change.add_certificate(rows.certificate(1, "ACME-prod", created_at=2_000))
        change.add_operation(rows.operation())
    assert [each.certificate.serial_number for each in migrated.holdings()] == ["aa01", "1", "aa03", "aa05"]


def test_it_is_taken_out_and_put_into_a_new_one_unchanged(migrated: SqliteRegistry, tmp_path: Path) -> None:
    with closing(SqliteRegistry(tmp_path / "new.db")) as new:
        new.load(migrated.snapshot())
        assert list(new.snapshot()) == list(migrated.snapshot())
