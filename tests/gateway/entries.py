"""Table entries without an authority: Ed25519 signs deterministically, so these certificates are always the same."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from handclasp.authorizer.decision import Reason
from handclasp.gateway.table import Entry
from handclasp.pki.naming import fingerprint, serial_text
from handclasp.registry.records import Certificate, CertificateStatus, Client, ClientStatus

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOT_AFTER = NOT_BEFORE + timedelta(days=90) - timedelta(seconds=1)
ISSUER_ID = "1f" * 32


def entry(
    name: str,
    number: int,
    reason: Reason = Reason.ALLOWED,
    *,
    common_name: str | None = None,
    uris: tuple[str, ...] = (),
) -> Entry:
    made = certificate(name, number, common_name=common_name, uris=uris)
    return Entry(reason, made, name, "prod", "shop")


def certificate(
    name: str,
    number: int,
    *,
    common_name: str | None = None,
    uris: tuple[str, ...] = (),
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    issuer_id: str = ISSUER_ID,
    status: CertificateStatus = CertificateStatus.ACTIVE,
) -> Certificate:
    """A registry record whose certificate is a real one."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or f"Prod-Shop-{name}")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'Issuing, "CA" 100% \u00fc')]))
        .public_key(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")).public_key())
        .serial_number(1 << 158 | number)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(Ed25519PrivateKey.from_private_bytes(bytes(32)), None)
    return Certificate(
        issuer_id=issuer_id,
        serial_number=serial_text(made.serial_number),
        fingerprint=fingerprint(made),
        client_id=name,
        profile="client",
        subject=made.subject.rfc4514_string(),
        public_key_id=f"{number:064x}",
        not_before=int(not_before.timestamp()),
        not_after=int(not_after.timestamp()),
        status=status,
        created_at=int(not_before.timestamp()),
        der=made.public_bytes(Encoding.DER),
    )


def client(name: str, status: ClientStatus = ClientStatus.ACTIVE, environment: str = "prod") -> Client:
    return Client(name, environment, "shop", None, None, status, int(NOT_BEFORE.timestamp()))
