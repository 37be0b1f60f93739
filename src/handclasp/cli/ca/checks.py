"""What `ca verify` looks at: each check yields findings, the good ones too, so that silence is never mistaken."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from handclasp.authority.publish import trust_bundle
from handclasp.cli.context import Session
from handclasp.cli.state_folder import open_to_others
from handclasp.errors import HandclaspError, KeyUnavailable, PassphraseMissing, PathInvalid
from handclasp.pki.keys import spki
from handclasp.pki.path import verify_path
from handclasp.registry.records import CertificateStatus, Issuer
from handclasp.settings import CONFIGURATION_FILE
from handclasp.truststore.rules import check_bundle


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence about one thing."""

    severity: Literal["ok", "warning", "problem"]
    check: str
    message: str


def all_checks(session: Session, root_passphrase: bytes | None) -> Iterator[Checked]:
    issuers = session.registry.issuers()
    certificates = {issuer.issuer_id: x509.load_der_x509_certificate(issuer.der) for issuer in issuers}
    yield from _paths(session, issuers, certificates)
    yield from _keys(session, issuers, certificates, root_passphrase)
    yield from _end_entities(session, certificates)
    yield from _truststore(session)
    yield from _modes(session)


def _paths(session: Session, issuers: list[Issuer], certificates: dict[str, x509.Certificate]) -> Iterator[Checked]:
    everything = list(certificates.values())
    for issuer in issuers:
        try:
            verify_path(certificates[issuer.issuer_id], everything, _roots(certificates), now=session.now, as_ca=True)
        except PathInvalid as fault:
            yield Checked("problem", "path", str(fault))
        else:
            yield Checked("ok", "path", f"{issuer.kind} {issuer.subject} is valid")


def _keys(
    session: Session,
    issuers: list[Issuer],
    certificates: dict[str, x509.Certificate],
    root_passphrase: bytes | None,
) -> Iterator[Checked]:
    for issuer in issuers:
        name = f"the key of {issuer.kind} {issuer.subject}"
        if issuer.key_name is None:
            yield Checked("ok", "key", f"{name} is elsewhere")
            continue
        sealed = issuer.parent_id is None
        try:
            key = session.custody.signer(issuer.key_name, root_passphrase if sealed else None)
        except PassphraseMissing:
            yield Checked("ok", "key", f"{name} is in custody, sealed; --root-passphrase-file opens it to compare")
        except KeyUnavailable as error:
            # A root key that was taken offline is what we advise.
            yield Checked("warning" if sealed and root_passphrase is None else "problem", "key", str(error))
        except HandclaspError as error:
            yield Checked("problem", "key", str(error))
        else:
            same = spki(key.public_key()) == spki(certificates[issuer.issuer_id].public_key())
            word = "matches its certificate" if same else "does not belong to its certificate"
            yield Checked("ok" if same else "problem", "key", f"{name} {word}")


def _end_entities(session: Session, certificates: dict[str, x509.Certificate]) -> Iterator[Checked]:
    """Each active certificate of a client; those that have expired are counted, for that is what they do."""
    everything, roots = list(certificates.values()), _roots(certificates)
    valid = expired = 0
    for standing in session.registry.standings():
        record = standing.certificate
        if record.status is not CertificateStatus.ACTIVE:
            continue
        if record.not_after < session.now.timestamp():
            expired += 1
            continue
        try:
            verify_path(x509.load_der_x509_certificate(record.der), everything, roots, now=session.now)
            valid += 1
        except (PathInvalid, ValueError) as fault:
            yield Checked("problem", "client", f"client {record.client_id}, serial {record.serial_number}: {fault}")
    yield Checked("ok", "client", f"{valid} active client certificates are valid, {expired} more have expired")


def _truststore(session: Session) -> Iterator[Checked]:
    where = f"trust store {session.truststore.location()}"
    published = session.truststore.read()
    if published is None:
        yield Checked("problem", "trust store", f"{where} is not there; handclasp truststore publish makes it")
        return
    for finding in check_bundle(published, session.now):
        severity: Literal["warning", "problem"] = "warning" if finding.severity == "warning" else "problem"
        yield Checked(severity, "trust store", f"{where}: {finding.message}")
    if published == trust_bundle(session.registry, session.now):
        yield Checked("ok", "trust store", f"{where} is what the registry says")
    else:
        yield Checked("problem", "trust store", f"{where} differs from the registry; handclasp truststore publish")


def _modes(session: Session) -> Iterator[Checked]:
    public = frozenset({session.state / CONFIGURATION_FILE, session.state / session.truststore.location()})
    exposed = list(open_to_others(session.state, public))
    for path, mode in exposed:
        yield Checked("problem", "modes", f"{path} is open to others (mode {mode:04o}); chmod go= it")
    if not exposed:
        yield Checked("ok", "modes", f"nothing in {session.state} is open to others")


def _roots(certificates: dict[str, x509.Certificate]) -> list[x509.Certificate]:
    return [certificate for certificate in certificates.values() if certificate.subject == certificate.issuer]
