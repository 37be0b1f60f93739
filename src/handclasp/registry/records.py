"""What the registry remembers. Times are seconds since 1970, UTC; serial numbers and digests canonical hex."""

from dataclasses import dataclass
from enum import StrEnum


class ClientStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class CertificateStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


class IssuerKind(StrEnum):
    ROOT = "root"
    INTERMEDIATE = "intermediate"


class IssuerStatus(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"


class RevocationReason(StrEnum):
    """CRLReason as RFC 5280 5.3.1 spells it; certificateHold is what `client suspend` is for."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may call. Names are unique without regard to case."""

    client_id: str
    environment: str
    application: str
    owner: str | None
    contact: str | None
    status: ClientStatus
    created_at: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate we issued or adopted, found by issuer and serial number, confirmed by its fingerprint.

    `client_id` is None for what is nobody's: the gateway's server certificate, the probes of `verify`.
    `delivered_at` is None until the certificate has been handed over. `der` is the certificate itself.
    """

    issuer_id: str
    serial_number: str
    fingerprint: str
    client_id: str | None
    profile: str
    subject: str
    public_key_id: str
    not_before: int
    not_after: int
    status: CertificateStatus
    created_at: int
    der: bytes
    revoked_at: int | None = None
    revocation_reason: RevocationReason | None = None
    delivered_at: int | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA certificate. `key_name` is its key's name in custody, None for a CA whose key is elsewhere."""

    issuer_id: str
    kind: IssuerKind
    subject: str
    serial_number: str
    fingerprint: str
    not_before: int
    not_after: int
    status: IssuerStatus
    key_name: str | None
    parent_id: str | None
    created_at: int
    der: bytes


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """A line of `client list`: the client, how many certificates are active, and when the last of them ends."""

    client: Client
    active_certificates: int
    not_after: int | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of state. `hash` covers every other field and the hash before it (see `audit_hash`)."""

    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    details: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate beside its client, as decisions see it: what the gateway's table is made from."""

    certificate: Certificate
    client: Client
