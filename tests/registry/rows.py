"""Records to put into a registry. It never looks inside a certificate, so these need not be real ones."""

from dataclasses import replace

from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Registry
from handclasp.registry.records import (
    AuditCheckpoint,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerKind,
    IssuerStatus,
    RevocationReason,
)


def client(name: str = "acme", status: ClientStatus = ClientStatus.ACTIVE) -> Client:
    return Client(name, "prod", "nextjs", "Team A", "a@example.org", status, 1_000)


def issuer(number: int = 1, parent: str | None = None) -> Issuer:
    return Issuer(
        issuer_id=f"issuer-{number}",
        kind=IssuerKind.INTERMEDIATE if parent else IssuerKind.ROOT,
        subject=f"CN=Issuer {number}",
        serial_number=f"{number:x}",
        fingerprint=f"issuer-fingerprint-{number}",
        not_before=0,
        not_after=10_000,
        status=IssuerStatus.ACTIVE,
        key_name=None,
        parent_id=parent,
        created_at=1_000,
        der=b"der",
    )


def certificate(
    number: int, of: str | None = "acme", *, key: str | None = None, created_at: int = 1_000
) -> Certificate:
    return Certificate(
        issuer_id="issuer-1",
        serial_number=f"{number:x}",
        fingerprint=f"fingerprint-{number}",
        client_id=of,
        profile="client",
        subject="CN=x",
        public_key_id=key or f"key-{number}",
        not_before=0,
        not_after=9_000 + number,
        status=CertificateStatus.ACTIVE,
        created_at=created_at,
        der=b"\x30\x00" + bytes([number % 256]),
    )


def fill(registry: Registry, *names: str) -> None:
    """One issuer, and a client with one certificate for each name."""
    with registry.change() as change:
        change.add_issuer(issuer())
        for number, name in enumerate(names, start=1):
            change.add_client(client(name))
            change.add_certificate(certificate(number, name))


def note(registry: Registry, subject: str = "acme") -> None:
    with registry.change() as change:
        change.record(at=1_000, actor="tester", action="client.enrol", subject=subject, details="{}")


def operation(identifier: str = "op-1", *, fence: int = 1, created_at: int = 1_000) -> Operation:
    return Operation(
        operation_id=identifier,
        kind="rotate-clients",
        arguments='{"who": "all"}',
        status=OperationStatus.OPEN,
        step="reissue",
        cursor=None,
        state="{}",
        holder="host-a",
        lease_until=1_060,
        fence=fence,
        attempts=0,
        created_at=created_at,
        updated_at=created_at,
    )


def gateway(identifier: str = "gw-1", *, revision: int = 3) -> Gateway:
    return Gateway(
        gateway_id=identifier,
        address="10.0.0.7:8443",
        server_name="api.example.org",
        environments=("prod", "staging"),
        revision=revision,
        trust="ab" * 32,
        server_issuer="issuer-1",
        log_position="12:3456",
        awake_since=900,
    )


def checkpoint(sequence: int) -> AuditCheckpoint:
    return AuditCheckpoint(sequence, "cd" * 32, 1_000 + sequence, "ef" * 32, "01" * 64)


def fill_every_table(registry: Registry) -> None:
    """At least one row in each table, with every column that may be empty both empty and not."""
    fill(registry, "Acme", "beta")
    old = certificate(1, "Acme")
    with registry.change() as change:
        change.add_issuer(replace(issuer(2, "issuer-1"), key_name="issuing", cross_certificate=b"\x00cross\xff"))
        change.set_issuer_status("issuer-2", IssuerStatus.PENDING)
        change.add_client(replace(client("gamma"), owner=None, contact=None))
        change.add_certificate(replace(certificate(7, "Acme"), own_csr=True, issuer_id="issuer-2"))
        change.add_certificate(certificate(8, None))
        change.set_delivered("issuer-2", "7", 2_000)
        change.set_replaced(old, replaced_by="fingerprint-7", supersede_at=3_000)
        change.set_certificate_status(
            certificate(2, "beta"), CertificateStatus.REVOKED, at=2_500, reason=RevocationReason.KEY_COMPROMISE
        )
        change.record(at=1, actor="a", action="b", subject="c", details='{"é": "🤝"}')
        change.record(at=2, actor="a", action="b", subject="d", details="{}")
        change.add_checkpoint(checkpoint(2))
        change.add_operation(operation())
        done = replace(operation("op-2"), status=OperationStatus.DONE, holder=None, lease_until=None, cursor="beta")
        change.add_operation(replace(done, finished_at=5, waiting_for="the deadline", error="it was stopped"))
        change.add_sightings([Sighting("fingerprint-1", 4_000, 5)], [Refusals("", "not_registered", 2, 4_001)])
        change.remember_notice("certificate:1:30d", 6)
