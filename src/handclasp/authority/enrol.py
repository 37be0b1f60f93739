"""Enrol a client: register it, certify its key, and only then hand the certificate over.

A crash between the commit and the delivery leaves a certificate nobody has. The registry knows that it was not
delivered, so enrolling the same client again revokes it and issues anew: a killed run is taken up, not stuck.
"""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from handclasp.authority.issuers import Signing, signing_issuer
from handclasp.authority.practice import Practice
from handclasp.authority.recording import certificate_record, details, epoch
from handclasp.custody.port import Custody
from handclasp.errors import AlreadyRegistered, NotRegistered, RequestRejected, TransitionRefused
from handclasp.pki.identity import ClientId, Identity, subject
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.pki.request import CertificateRequest, for_key
from handclasp.registry.port import Change, Registry
from handclasp.registry.records import (
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    IssuerStatus,
    RevocationReason,
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What was asked for. `request` is None when we are to make the key."""

    client_id: ClientId
    environment: str
    application: str
    owner: str | None = None
    contact: str | None = None
    common_name: str | None = None
    request: CertificateRequest | None = None
    key_algorithm: KeyAlgorithm | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate whose registry row is durable, ready to be handed over. The key is None if we never had it.

    `path` is what is handed out: the certificate, its issuers, the root. `anchors` verify the other side.
    """

    client: Client
    certificate: Certificate
    path: tuple[x509.Certificate, ...]
    anchors: tuple[x509.Certificate, ...]
    key: PrivateKey | None = field(repr=False)


def enrol(
    enrolment: Enrolment,
    *,
    registry: Registry,
    custody: Custody,
    practice: Practice,
    actor: str,
    now: datetime,
    signing: Signing | None = None,
) -> Issued:
    """Register the client with its first certificate, from the issuer that signs now or from `signing`.

    Raises AlreadyRegistered if the name belongs to a client that has a certificate, RequestRejected if the public
    key belongs to another client or is weak, InvalidInput for a lifetime out of range.
    """
    signing = signing or signing_issuer(registry, custody, practice.urls)
    client = Client(
        client_id=enrolment.client_id,
        environment=enrolment.environment,
        application=enrolment.application,
        owner=enrolment.owner,
        contact=enrolment.contact,
        status=ClientStatus.ACTIVE,
        created_at=epoch(now),
    )
    certificate, signed, key = certify(client, enrolment, signing, practice, now)
    with registry.change() as change:
        refuse_retired(change, signing)
        refuse_foreign_key(change, certificate)
        if not _taken_up(change, client, actor, now):
            change.add_client(client)
        client = change.client(client.client_id)
        change.add_certificate(certificate)
        change.record(
            at=epoch(now),
            actor=actor,
            action="client.enrol",
            subject=client.client_id,
            details=details(
                environment=client.environment,
                application=client.application,
                owner=client.owner,
                contact=client.contact,
                serial_number=certificate.serial_number,
                fingerprint=certificate.fingerprint,
                not_after=certificate.not_after,
                own_csr=enrolment.request is not None,
            ),
        )
    return Issued(client, certificate, (signed, *signing.sent), signing.anchors, key)


def renew(
    enrolment: Enrolment,
    *,
    registry: Registry,
    custody: Custody,
    practice: Practice,
    actor: str,
    now: datetime,
    signing: Signing | None = None,
) -> Issued:
    """Another certificate beside those the client has, which stay valid: the overlap in which it switches.

    Without a CSR the key is new; without `signing` the issuer is the one that signs now. Raises NotRegistered,
    TransitionRefused when the client is not active.
    """
    signing = signing or signing_issuer(registry, custody, practice.urls)
    client = registry.client(enrolment.client_id)
    certificate, signed, key = certify(client, enrolment, signing, practice, now)
    with registry.change() as change:
        current = change.client(client.client_id)
        if current.status is not ClientStatus.ACTIVE:
            raise TransitionRefused(
                f"client {client.client_id} is {current.status.value}: no certificate is issued to it",
                hint="handclasp client resume lifts a suspension; revocation is final",
            )
        refuse_retired(change, signing)
        refuse_foreign_key(change, certificate)
        change.add_certificate(certificate)
        change.record(
            at=epoch(now),
            actor=actor,
            action="client.renew",
            subject=client.client_id,
            details=details(
                serial_number=certificate.serial_number,
                fingerprint=certificate.fingerprint,
                not_after=certificate.not_after,
                own_csr=enrolment.request is not None,
            ),
        )
    return Issued(client, certificate, (signed, *signing.sent), signing.anchors, key)


def certify(
    client: Client, enrolment: Enrolment, signing: Signing, practice: Practice, now: datetime
) -> tuple[Certificate, x509.Certificate, PrivateKey | None]:
    """Prepare and sign in memory; nothing has left yet."""
    key = None
    request = enrolment.request
    if request is None:
        key = generate(enrolment.key_algorithm or practice.key_algorithm)
        request = for_key(key)
    identity = Identity(practice.trust_domain, client.environment, client.application, ClientId(client.client_id))
    prepared = prepare(
        request,
        practice.client,
        signing.authority,
        subject=subject(enrolment.common_name or identity.common_name, practice.organization),
        now=now,
        names=[x509.UniformResourceIdentifier(identity.uri)],
        lifetime=practice.client.lasting(enrolment.days),
    )
    certificate = issue(prepared, signing.authority)
    record = certificate_record(
        certificate,
        issuer=signing.record.issuer_id,
        client_id=client.client_id,
        profile=practice.client.name,
        now=now,
        subject_public_key_info=request.spki,
        own_csr=enrolment.request is not None,
    )
    return record, certificate, key


def refuse_retired(change: Change, signing: Signing) -> None:
    """An issuer may be retired between the choice of it and this moment. Raises TransitionRefused."""
    if any(i.issuer_id == signing.record.issuer_id and i.status is IssuerStatus.RETIRED for i in change.issuers()):
        raise TransitionRefused(
            f"issuer {signing.record.subject} was retired a moment ago", hint="run the same command again"
        )


def refuse_foreign_key(change: Change, certificate: Certificate) -> None:
    """One key, one client: a key that two share proves the identity of neither. Raises RequestRejected."""
    owner = change.public_key_owner(certificate.public_key_id)
    if owner is not None and owner.lower() != (certificate.client_id or "").lower():
        raise RequestRejected(
            [f"its public key already belongs to {f'client {owner}' if owner else 'another certificate'}"],
            hint="make a new key pair for this client",
        )
    if owner and any(
        known.public_key_id == certificate.public_key_id and known.revocation_reason is RevocationReason.KEY_COMPROMISE
        for known in change.certificates(owner)
    ):
        raise RequestRejected(
            ["its public key belongs to a certificate that was revoked because the key was compromised"],
            hint="make a new key pair for this client",
        )


def _taken_up(change: Change, client: Client, actor: str, now: datetime) -> bool:
    """True if the client stands registered by a run that was killed before it delivered anything."""
    try:
        known = change.client(client.client_id)
    except NotRegistered:
        return False
    certificates = change.certificates(known.client_id)
    # The very name: a certificate for "Acme" is not one for the registered "acme".
    same = (known.client_id, known.environment, known.application) == (
        client.client_id,
        client.environment,
        client.application,
    )
    if any(c.delivered_at is not None for c in certificates) or known.status is not ClientStatus.ACTIVE or not same:
        raise AlreadyRegistered(
            f"client {known.client_id} is registered already "
            f"({known.environment}, {known.application}, {known.status.value})",
            hint=f"handclasp client renew {known.client_id} issues it another certificate",
        )
    for certificate in certificates:
        if certificate.status is CertificateStatus.ACTIVE:
            change.set_certificate_status(
                certificate, CertificateStatus.REVOKED, at=epoch(now), reason=RevocationReason.SUPERSEDED
            )
            change.record(
                at=epoch(now),
                actor=actor,
                action="certificate.revoke",
                subject=known.client_id,
                details=details(
                    serial_number=certificate.serial_number,
                    before=certificate.status.value,
                    after=CertificateStatus.REVOKED.value,
                    reason=RevocationReason.SUPERSEDED.value,
                    delivered=False,
                ),
            )
    return True
