"""What expires: clients' certificates, issuers, what the trust store holds, the server's certificate, CRLs.

Of a client's certificates only those are told of that it depends on: the newest one it has been handed, and an older
one that a gateway still lets in although the newer was handed over long enough ago (another device, or one that did
not take the new file). Nobody depends on what a suspended or revoked client holds.
"""

from collections.abc import Iterable, Iterator

from cryptography import x509

from handclasp.authority.expiry.ending import Ending
from handclasp.authority.probe import is_reserved
from handclasp.authority.recording import epoch
from handclasp.authority.rotation.holders import by_client
from handclasp.errors import InvalidInput
from handclasp.pki.naming import fingerprint
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Reader
from handclasp.registry.records import Certificate, Client, ClientStatus, Holding, Issuer, IssuerStatus


def client_endings(registry: Reader, *, overlap: int) -> Iterator[Ending]:
    """Page by page; `overlap` is how many seconds a client has for taking a new certificate up."""
    for handed in _handed(registry):
        yield from _of_one_client(handed, overlap)


def newest_held(registry: Reader) -> Iterator[Holding]:
    """The certificate each active client was handed last."""
    return (handed[-1] for handed in _handed(registry))


def issuer_endings(issuers: Iterable[Issuer]) -> Iterator[Ending]:
    """Every issuer that is not retired, and the certificate another root gave it."""
    for issuer in issuers:
        if issuer.status is IssuerStatus.RETIRED:
            continue
        yield Ending(
            kind="issuer",
            subject=issuer.subject,
            what=f"{issuer.kind.value} {issuer.subject}",
            key=f"issuer/{issuer.fingerprint}",
            not_before=issuer.not_before,
            not_after=issuer.not_after,
            owing=f"begin handclasp rotate {_ROTATED[issuer.kind.value]} before its last certificates outlive it",
            facts={"issuer_id": issuer.issuer_id, "fingerprint": issuer.fingerprint, "status": issuer.status.value},
        )
        if issuer.cross_certificate is not None:
            crossed = x509.load_der_x509_certificate(issuer.cross_certificate)
            yield _of_certificate(crossed, "cross-certificate", f"the cross certificate of {issuer.subject}")


def truststore_endings(bundle: bytes, issuers: Iterable[Issuer]) -> Iterator[Ending]:
    """The members of the published bundle that are not issuers told of anyway. Raises InvalidInput."""
    ours = {issuer.fingerprint for issuer in issuers if issuer.status is not IssuerStatus.RETIRED}
    for member in load_certificates(bundle, "the trust store"):
        if fingerprint(member) not in ours:
            name = member.subject.rfc4514_string() or "a member without a subject"
            yield _of_certificate(member, "trust-store-member", f"trust store member {name}")


def server_ending(pem: bytes, where: str) -> Ending:
    """The gateway's server certificate, the first one in its file. Raises InvalidInput."""
    return _of_certificate(load_certificates(pem, where)[0], "server-certificate", f"the server certificate {where}")


def crl_ending(data: bytes, where: str) -> Ending:
    """A CRL without nextUpdate (RFC 5280 5.1.2.5 demands one) never ends, and is as wrong as one that does not parse.

    Raises InvalidInput.
    """
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in data else x509.load_der_x509_crl
        crl = load(data)
        updated = crl.next_update_utc
        issuer = crl.issuer.rfc4514_string()
    except ValueError:
        raise InvalidInput(f"{where} is not a CRL in PEM or DER") from None
    if updated is None:
        raise InvalidInput(f"{where} is a CRL without nextUpdate")
    return Ending(
        kind="crl",
        subject=issuer,
        what=f"the CRL of {issuer} ({where})",
        key=f"crl/{where}/{epoch(crl.last_update_utc)}",
        not_before=epoch(crl.last_update_utc),
        not_after=epoch(updated),
        owing="verifiers refuse everybody once it is past",
    )


_ROTATED = {"root": "root", "intermediate": "issuer"}


def _handed(registry: Reader) -> Iterator[list[Holding]]:
    """For each active client, what it was handed, the newest last.

    What was never handed over replaces nothing; if nothing was, the newest is what there is.
    """
    for held in by_client(registry):
        if held[0].client.status is ClientStatus.ACTIVE and not is_reserved(held[0].client):
            handed = [h for h in held if h.certificate.delivered_at is not None] or held[-1:]
            yield sorted(handed, key=lambda h: h.certificate.delivered_at or 0)


def _of_one_client(handed: list[Holding], overlap: int) -> Iterator[Ending]:
    newest, client = handed[-1], handed[-1].client
    yield _of_holding(newest.certificate, client, "it has not been renewed")
    since = (newest.certificate.delivered_at or newest.certificate.created_at) + overlap
    for older in handed[:-1]:
        if (older.last_seen_at or 0) > since:
            yield _of_holding(older.certificate, client, "a newer one was handed over, but this one is still in use")


def _of_holding(certificate: Certificate, client: Client, owing: str) -> Ending:
    return Ending(
        kind="client-certificate",
        subject=client.client_id,
        what=f"client {client.client_id}: certificate {certificate.serial_number}",
        key=f"certificate/{certificate.fingerprint}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        owing=owing,
        facts={
            "environment": client.environment,
            "application": client.application,
            "owner": client.owner,
            "contact": client.contact,
            "issuer_id": certificate.issuer_id,
            "serial_number": certificate.serial_number,
            "fingerprint": certificate.fingerprint,
            "own_csr": certificate.own_csr,
        },
    )


def _of_certificate(certificate: x509.Certificate, kind: str, what: str) -> Ending:
    found = fingerprint(certificate)
    return Ending(
        kind=kind,
        subject=certificate.subject.rfc4514_string() or what,
        what=what,
        key=f"{kind}/{found}",
        not_before=epoch(certificate.not_valid_before_utc),
        not_after=epoch(certificate.not_valid_after_utc),
        facts={"fingerprint": found},
    )
