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
    """`pending`: trusted and published, not issuing yet. `retired`: out of every trust store, for good."""

    PENDING = "pending"
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
    `delivered_at` is None until the certificate has been handed over. `der` is the certificate itself. `own_csr` is
    true when the key is the client's own and never was here. Once another certificate has been delivered in its
    place, `replaced_by` is that one's fingerprint, and this one may be superseded from `supersede_at` on.
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
    own_csr: bool = False
    replaced_by: str | None = None
    supersede_at: int | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA certificate. `key_name` is its key's name in custody, None for a CA whose key is elsewhere.

    `cross_certificate` (DER) is the same name and key signed by the root before it, for who still pins that one.
    """

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
    cross_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """A line of `client list`: the client, how many certificates are active, from when until when the last of them
    to end is valid, when a gateway last let the client in, and how many requests of it were let in."""

    client: Client
    active_certificates: int
    not_before: int | None
    not_after: int | None
    last_seen_at: int | None = None
    requests: int = 0


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
class AuditCheckpoint:
    """The audit trail's head at one moment, signed (Ed25519): an entry cut off before it no longer goes unnoticed.

    `public_key` and `signature` are hex (32 and 64 octets); what is signed is `audit_chain.checkpoint_text`.
    """

    sequence: int
    hash: str
    at: int
    public_key: str
    signature: str


@dataclass(frozen=True, slots=True)
class Holding:
    """An active certificate in a client's hands, and when a gateway last let it in (None: not that anyone saw)."""

    certificate: Certificate
    client: Client
    last_seen_at: int | None
    requests: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate beside its client, as decisions see it: what the gateway's table is made from."""

    certificate: Certificate
    client: Client
