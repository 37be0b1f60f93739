"""Certificates for the acceptance tests, from the real CA: what a gateway must refuse although we signed it.

Nothing is issued that the registry does not know, probes included: each is registered before it is used. A probe
is nobody's (no client), so no gateway's table holds it; it lives for minutes and its key never leaves memory. Only
the certificate that is to be revoked belongs to a client, a reserved one, because it must be accepted first.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509

from handclasp.authority.enrol import Enrolment, enrol, renew
from handclasp.authority.issuers import Signing, signing_issuer
from handclasp.authority.practice import Practice
from handclasp.authority.recording import certificate_record, details, epoch
from handclasp.authority.revoke import revoke_certificate
from handclasp.custody.port import Custody
from handclasp.errors import AlreadyRegistered, NotRegistered, RegistryError
from handclasp.pki.identity import ClientId, subject
from handclasp.pki.issuance import BACKDATE, IssuingAuthority, issue, prepare
from handclasp.pki.keys import PrivateKey, generate
from handclasp.pki.profile import CLIENT, SERVER, Profile
from handclasp.pki.request import for_key
from handclasp.registry.port import Registry
from handclasp.registry.records import Certificate, Client, RevocationReason

#: The reserved client whose certificate is issued to be revoked.
VERIFY_CLIENT = "handclasp-verify"
VERIFY_APPLICATION = "verify"
#: The environment it is in when nobody can say in which the caller is.
VERIFY_ENVIRONMENT = "verify"

_LIFETIME = timedelta(minutes=10)
#: Longer than any clock is wrong by that a gateway could run with.
_AHEAD = timedelta(hours=1)

_Validity = Callable[[IssuingAuthority, datetime], tuple[datetime, datetime]]


class ProbeKind(StrEnum):
    """What is wrong with it. In all else it is as good as a client's."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    SERVER_AUTH_ONLY = "server_auth_only"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Probe:
    """A registered probe certificate with the path above it, end entity first, and its key."""

    certificate: Certificate
    path: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)


def issue_probe(
    kind: ProbeKind, *, registry: Registry, custody: Custody, practice: Practice, actor: str, now: datetime
) -> Probe:
    """A certificate of that kind. Raises NotEstablished, KeyUnavailable, RequestRejected when the issuer's own
    validity leaves no room for it: a CA made a second ago has no past to expire in.
    """
    usage, validity = _PROBES[kind]
    signing = signing_issuer(registry, custody, practice.urls)
    key = generate(practice.key_algorithm)
    request = for_key(key)
    prepared = prepare(
        request,
        Profile("probe", days=1, max_days=1, extended_key_usage=usage),
        signing.authority,
        subject=subject(f"Handclasp-Probe-{kind.value.replace('_', '-')}"),
        now=now,
        validity=validity(signing.authority, now),
    )
    certificate = issue(prepared, signing.authority)
    record = certificate_record(
        certificate,
        issuer=signing.record.issuer_id,
        client_id=None,
        profile=prepared.profile.name,
        now=now,
        subject_public_key_info=request.spki,
    )
    with registry.change() as change:
        change.add_certificate(record)
        change.record(
            at=epoch(now),
            actor=actor,
            action="probe.issue",
            subject=kind.value,
            details=details(
                serial_number=record.serial_number, fingerprint=record.fingerprint, not_after=record.not_after
            ),
        )
    return Probe(record, (certificate, *signing.path), key)


def issue_revocable(
    environment: str,
    *,
    registry: Registry,
    custody: Custody,
    practice: Practice,
    actor: str,
    now: datetime,
    signing: Signing | None = None,
) -> Probe:
    """A real client certificate for the reserved client of that environment, which is registered on first use.

    From the issuer that signs now, or `signing`: one that is to be shown at work.
    Raises TransitionRefused when somebody has suspended or revoked that client, AlreadyRegistered when its name
    is taken.
    """
    name, known = _reserved(registry, environment)
    enrolment = Enrolment(
        client_id=ClientId(name),
        environment=environment,
        application=VERIFY_APPLICATION,
        owner="handclasp",
        key_algorithm=practice.key_algorithm,
        days=1,
    )
    ports: dict[str, Any] = {"registry": registry, "custody": custody, "practice": practice, "actor": actor, "now": now}
    take = renew if known else enrol
    issued = take(enrolment, **ports, signing=signing)
    if issued.key is None:  # pragma: no cover - there was no CSR, so the key is ours
        raise RegistryError(f"client {name} was certified without a key")
    with registry.change() as change:
        # It is handed over here and now, in memory; enrolment must not take it for one that was lost.
        change.set_delivered(issued.certificate.issuer_id, issued.certificate.serial_number, epoch(now))
    return Probe(issued.certificate, issued.path, issued.key)


def is_reserved(client: Client) -> bool:
    """One of the clients that exist for probes: nobody is cut off when it is refused."""
    return client.application == VERIFY_APPLICATION and client.client_id.startswith(VERIFY_CLIENT)


def revoke_probe(probe: Probe, *, registry: Registry, actor: str, now: datetime) -> None:
    """Revoke exactly the certificate that `issue_revocable` made. Returns when it is durable."""
    revoke_certificate(
        probe.certificate.client_id or VERIFY_CLIENT,
        probe.certificate.serial_number,
        registry=registry,
        reason=RevocationReason.CESSATION_OF_OPERATION,
        actor=actor,
        now=now,
    )


def _reserved(registry: Registry, environment: str) -> tuple[str, Client | None]:
    """A client belongs to one environment for good, so each further environment has a reserved client of its own."""
    for name in (VERIFY_CLIENT, f"{VERIFY_CLIENT}-{environment}"):
        try:
            client = registry.client(name)
        except NotRegistered:
            return name, None
        if client.environment == environment:
            return client.client_id, client
    raise AlreadyRegistered(f"the name {name} is taken by a client of another environment, {client.environment}")


def _past(issuer: IssuingAuthority, now: datetime) -> tuple[datetime, datetime]:
    """Over for as long as it lasted: a demo's issuer is ten minutes old, so both halves must fit into them."""
    begin = max(issuer.not_before, now - 2 * _AHEAD)
    return begin, min(begin + (now - begin) / 2, now - timedelta(seconds=1))


def _present(issuer: IssuingAuthority, now: datetime) -> tuple[datetime, datetime]:
    return max(issuer.not_before, now - BACKDATE), min(issuer.not_after, now + _LIFETIME)


def _future(issuer: IssuingAuthority, now: datetime) -> tuple[datetime, datetime]:  # noqa: ARG001 - _Validity
    return now + _AHEAD, now + _AHEAD + _LIFETIME


_PROBES: dict[ProbeKind, tuple[tuple[x509.ObjectIdentifier, ...], _Validity]] = {
    ProbeKind.EXPIRED: (CLIENT.extended_key_usage, _past),
    ProbeKind.NOT_YET_VALID: (CLIENT.extended_key_usage, _future),
    ProbeKind.SERVER_AUTH_ONLY: (SERVER.extended_key_usage, _present),
    ProbeKind.UNREGISTERED: (CLIENT.extended_key_usage, _present),
}
