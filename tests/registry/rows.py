"""Records to put into a registry. It never looks inside a certificate, so these need not be real ones."""

from handclasp.registry.port import Registry
from handclasp.registry.records import (
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    Issuer,
    IssuerKind,
    IssuerStatus,
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
