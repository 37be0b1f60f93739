"""What gateways tell the registry: that they live, what they serve, and whom they have seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway's last report, made after it has asked itself through its own listener.

    `revision` and `trust` (SHA-256 of the bundle, hex) are what it really serves. `address` is where an operation's
    canary reaches it, `server_name` the name its server certificate is verified for, `server_issuer` the issuer of
    that certificate, `environments` those it admits (None: all). `log_position` is how far its access log has been
    taken in. `awake_since` is the moment it began, moved on by as long as its machine has slept since then.
    `silent_for` is how many seconds ago it reported, by the registry's own clock, so that a gateway whose clock is
    wrong is not taken for a dead one; a report's own value of it is not stored.
    """

    gateway_id: str
    address: str
    server_name: str
    environments: tuple[str, ...] | None
    revision: int
    trust: str
    server_issuer: str
    log_position: str
    awake_since: int
    silent_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """Requests let in by one certificate: how many, and when the last one was (seconds since 1970)."""

    fingerprint: str
    last_seen_at: int
    requests: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """Requests refused, by certificate and reason. `fingerprint` is "" for every certificate that is not ours."""

    fingerprint: str
    reason: str
    requests: int
    last_at: int
