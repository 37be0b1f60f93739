"""From X.509 to the registry's records."""

import json
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.pki.keys import spki
from handclasp.pki.naming import der_fingerprint, issuer_id, public_key_id, serial_text
from handclasp.registry.records import Certificate, CertificateStatus, Issuer, IssuerKind, IssuerStatus

#: Made once: `json.dumps` would make an encoder for every entry.
_ENCODE = json.JSONEncoder(sort_keys=True).encode


def certificate_record(
    certificate: x509.Certificate,
    *,
    issuer: str,
    client_id: str | None,
    profile: str,
    now: datetime,
    subject_public_key_info: bytes | None = None,
    status: CertificateStatus = CertificateStatus.ACTIVE,
    own_csr: bool = False,
) -> Certificate:
    """`issuer` is the issuer's id. The key's DER may be handed in by whoever has it already."""
    der = certificate.public_bytes(Encoding.DER)
    return Certificate(
        issuer_id=issuer,
        serial_number=serial_text(certificate.serial_number),
        fingerprint=der_fingerprint(der),
        client_id=client_id,
        profile=profile,
        subject=certificate.subject.rfc4514_string(),
        public_key_id=public_key_id(subject_public_key_info or spki(certificate.public_key())),
        not_before=epoch(certificate.not_valid_before_utc),
        not_after=epoch(certificate.not_valid_after_utc),
        status=status,
        created_at=epoch(now),
        der=der,
        own_csr=own_csr,
    )


def issuer_record(
    certificate: x509.Certificate,
    *,
    kind: IssuerKind,
    key_name: str | None,
    parent_id: str | None,
    now: datetime,
    status: IssuerStatus = IssuerStatus.ACTIVE,
    cross_certificate: x509.Certificate | None = None,
) -> Issuer:
    der = certificate.public_bytes(Encoding.DER)
    return Issuer(
        issuer_id=issuer_id(certificate),
        kind=kind,
        subject=certificate.subject.rfc4514_string(),
        serial_number=serial_text(certificate.serial_number),
        fingerprint=der_fingerprint(der),
        not_before=epoch(certificate.not_valid_before_utc),
        not_after=epoch(certificate.not_valid_after_utc),
        status=status,
        key_name=key_name,
        parent_id=parent_id,
        created_at=epoch(now),
        der=der,
        cross_certificate=cross_certificate.public_bytes(Encoding.DER) if cross_certificate else None,
    )


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970, UTC."""
    return int(moment.timestamp())


def details(**facts: object) -> str:
    """An audit entry's details: JSON with sorted keys, facts that are None left out."""
    return _ENCODE({key: value for key, value in facts.items() if value is not None})
