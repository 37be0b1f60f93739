"""Adopt what operators already have: a root, an intermediate, and the client certificates out there.

Nothing is re-issued. A hierarchy made with plain OpenSSL keeps its names, keys and extensions; a client
certificate is registered as it is, after its path to the adopted issuers has been verified.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from handclasp.authority.enrol import refuse_foreign_key
from handclasp.authority.establish import IssuerMaterial
from handclasp.authority.issuers import issuer_path
from handclasp.authority.recording import certificate_record, details, epoch
from handclasp.errors import AlreadyRegistered, InvalidInput, NotRegistered, TransitionRefused
from handclasp.pki.keys import PrivateKey, spki
from handclasp.pki.naming import issuer_id
from handclasp.pki.path import CLIENT_AUTH, verify_path
from handclasp.pki.profile import CLIENT
from handclasp.registry.port import Change, Registry
from handclasp.registry.records import Certificate, Client, ClientStatus


def issuer_material(certificate: x509.Certificate, key: PrivateKey | None, what: str) -> IssuerMaterial:
    """A CA certificate with its own key. Raises InvalidInput if they are no pair, or it is no CA certificate."""
    try:
        belongs = key is None or spki(key.public_key()) == spki(certificate.public_key())
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = certificate.subject == certificate.issuer
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise InvalidInput(f"the {what}'s key or extensions cannot be parsed") from None
    if not belongs:
        raise InvalidInput(f"the {what}'s private key does not belong to its certificate")
    if not is_ca:
        raise InvalidInput(f"the {what} {certificate.subject.rfc4514_string()} is not a CA certificate")
    return IssuerMaterial(certificate, key)


@dataclass(frozen=True, slots=True)
class Adoption:
    """Whose certificate this is."""

    client_id: str
    environment: str
    application: str
    owner: str | None
    contact: str | None


def adopt_client(
    adoption: Adoption, certificate: x509.Certificate, *, registry: Registry, actor: str, now: datetime
) -> Certificate:
    """Register a certificate that an adopted issuer has already issued, and its client if it is new.

    Raises PathInvalid when it has no path to our issuers or may not be used by a client, InvalidInput when it is an
    issuer itself, RequestRejected when its key belongs to another client or was compromised, AlreadyRegistered when
    it is registered already.
    """
    issuers = registry.issuers()
    certificates = [x509.load_der_x509_certificate(issuer.der) for issuer in issuers]
    if certificate in certificates:
        raise InvalidInput(f"{certificate.subject.rfc4514_string()} is one of the issuers, not a client certificate")
    roots = [c for c in certificates if c.issuer == c.subject]
    path = verify_path(certificate, certificates, roots, now=now, usage=CLIENT_AUTH)
    record = certificate_record(
        certificate,
        issuer=issuer_id(path.certificates[1]),
        client_id=adoption.client_id,
        profile=CLIENT.name,
        now=now,
        own_csr=True,
    )
    issuer_path(issuers, record.issuer_id)
    with registry.change() as change:
        refuse_foreign_key(change, record)
        client = _register(change, adoption, now)
        record = replace(record, client_id=client.client_id)
        change.add_certificate(record)
        change.set_delivered(record.issuer_id, record.serial_number, epoch(now))
        change.record(
            at=epoch(now),
            actor=actor,
            action="client.adopt",
            subject=client.client_id,
            details=details(
                environment=client.environment,
                application=client.application,
                owner=client.owner,
                contact=client.contact,
                serial_number=record.serial_number,
                fingerprint=record.fingerprint,
                not_after=record.not_after,
                own_csr=True,
            ),
        )
    return record


def _register(change: Change, adoption: Adoption, now: datetime) -> Client:
    """A client may have several certificates out there: the first one registers it."""
    try:
        known = change.client(adoption.client_id)
    except NotRegistered:
        change.add_client(
            Client(
                client_id=adoption.client_id,
                environment=adoption.environment,
                application=adoption.application,
                owner=adoption.owner,
                contact=adoption.contact,
                status=ClientStatus.ACTIVE,
                created_at=epoch(now),
            )
        )
        return change.client(adoption.client_id)
    if (known.environment, known.application) != (adoption.environment, adoption.application):
        raise AlreadyRegistered(
            f"client {known.client_id} is registered for {known.environment}, {known.application}",
            hint="pass the same --environment and --application, or another name",
        )
    if known.status is not ClientStatus.ACTIVE:
        raise TransitionRefused(f"client {known.client_id} is {known.status.value}: no certificate is added to it")
    return known
