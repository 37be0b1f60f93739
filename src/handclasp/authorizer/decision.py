"""May this request pass? Facts of a certificate + what the registry says of it + now -> a decision.

Allow only when: a certificate was presented, its path validates to a published trust anchor, its extended key
usage allows clientAuth, exactly this certificate (issuer + serial number, confirmed by SHA-256) is registered and
active, its client is active, and the gateway's policy admits the client's environment. Everything else, an error
included, is a deny with one reason. The reason is for the log; the caller sees 403 {"message":"Forbidden"}.
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why. Each is documented in docs/decision-reasons.md; a test holds the two together."""

    ALLOWED = "allowed"
    NO_CERTIFICATE = "no_certificate"
    PATH_INVALID = "path_invalid"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    WRONG_USAGE = "wrong_usage"
    UNREGISTERED = "unregistered"
    FINGERPRINT_MISMATCH = "fingerprint_mismatch"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CLIENT_REVOKED = "client_revoked"
    CLIENT_SUSPENDED = "client_suspended"
    ENVIRONMENT_NOT_ADMITTED = "environment_not_admitted"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Presented:
    """The certificate as the gateway saw it. Times are seconds since 1970, digests lower-case hex."""

    fingerprint: str
    path_valid: bool
    allows_client_auth: bool
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry says of the certificate with that issuer and serial number."""

    fingerprint: str
    client_id: str
    environment: str
    certificate_status: str
    client_status: str


@dataclass(frozen=True, slots=True)
class Policy:
    """`environments`: the only ones admitted; None admits all, an empty set none."""

    environments: Set[str] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    allow: bool
    reason: Reason
    client_id: str | None = None


def decide(presented: Presented | None, registered: Registered | None, policy: Policy, now: int) -> Decision:
    """The decision at `now` (seconds since 1970). Pure, total: it never raises for values of these types."""
    if presented is None:
        return _deny(Reason.NO_CERTIFICATE, None)
    if registered is None:
        # An unknown certificate whose path is broken is called that: it tells more than "unregistered".
        return _deny(Reason.UNREGISTERED if presented.path_valid else Reason.PATH_INVALID, None)
    for wrong, reason in (
        (presented.fingerprint != registered.fingerprint, Reason.FINGERPRINT_MISMATCH),
        (registered.certificate_status != "active", Reason.CERTIFICATE_REVOKED),
        (registered.client_status == "suspended", Reason.CLIENT_SUSPENDED),
        (registered.client_status != "active", Reason.CLIENT_REVOKED),
        (now < presented.not_before, Reason.NOT_YET_VALID),
        # RFC 5280 4.1.2.5: the validity period includes notAfter itself
        (now > presented.not_after, Reason.EXPIRED),
        (not presented.path_valid, Reason.PATH_INVALID),
        (not presented.allows_client_auth, Reason.WRONG_USAGE),
        (
            policy.environments is not None and registered.environment not in policy.environments,
            Reason.ENVIRONMENT_NOT_ADMITTED,
        ),
    ):
        if wrong:
            return _deny(reason, registered.client_id)
    return Decision(allow=True, reason=Reason.ALLOWED, client_id=registered.client_id)


def _deny(reason: Reason, client_id: str | None) -> Decision:
    return Decision(allow=False, reason=reason, client_id=client_id)
