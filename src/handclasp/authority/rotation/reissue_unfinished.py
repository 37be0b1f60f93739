"""What an earlier run of an operation has committed and not noted as delivered, read back from its state."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handclasp.authority.rotation.reissue_choice import Renewal
from handclasp.delivery.port import Delivery
from handclasp.errors import DeliveryFailed
from handclasp.pki.pem import first_der
from handclasp.registry.port import Reader
from handclasp.registry.records import Certificate, CertificateStatus

#: Issuer and serial number of the certificate before, and of the new one.
Entry = tuple[str, str, str, str]
#: In the operation's state, where it is written with every transaction and so kept short: the two issuers' ids, a
#: space between, to the serial numbers of each pair.
Noted = dict[str, str]


def noted(entries: Iterable[Entry]) -> Noted:
    pairs: dict[str, list[str]] = {}
    for before_issuer, before_serial, issuer, serial in entries:
        pairs.setdefault(f"{before_issuer} {issuer}", []).append(f"{before_serial} {serial}")
    return {issuers: ",".join(serials) for issuers, serials in pairs.items()}


def read_noted(found: Noted) -> list[Entry]:
    entries = []
    for issuers, serials in found.items():
        before_issuer, issuer = issuers.split()
        for pair in serials.split(","):
            before_serial, serial = pair.split()
            entries.append((before_issuer, before_serial, issuer, serial))
    return entries


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A renewal that has its certificate. `is_lost`: nobody has its key any more, or its issuer no longer issues."""

    renewal: Renewal
    made: Certificate
    is_lost: bool


def unfinished(entries: Sequence[Entry], registry: Reader, delivery: Delivery, issuer_id: str) -> Iterator[Unfinished]:
    """Those of the entries that still need something done; `issuer_id` is the issuer that signs now."""
    for before_issuer, before_serial, issuer, serial in entries:
        before, made = registry.certificate(before_issuer, before_serial), registry.certificate(issuer, serial)
        client = registry.client(made.client_id or "")
        if made.status is not CertificateStatus.ACTIVE or made.delivered_at is not None:
            continue
        rekey = made.public_key_id != before.public_key_id
        also = tuple(c for c in registry.certificates(client.client_id) if _goes_with(c, before, rekey=rekey))
        is_lost = made.issuer_id != issuer_id or (rekey and not is_there(made, delivery))
        yield Unfinished(Renewal(client, before, also, rekey), made, is_lost)


def _goes_with(certificate: Certificate, before: Certificate, *, rekey: bool) -> bool:
    """Another in the client's hands that the new one takes the place of, as `choose` had it."""
    return (
        certificate.fingerprint != before.fingerprint
        and certificate.status is CertificateStatus.ACTIVE
        and certificate.delivered_at is not None
        and certificate.replaced_by is None
        and certificate.created_at <= before.created_at
        and (not certificate.own_csr if rekey else certificate.public_key_id == before.public_key_id)
    )


def is_there(made: Certificate, delivery: Delivery) -> bool:
    """Whether its files, and so its key, were delivered before the run ended."""
    try:
        return first_der(delivery.collect(made.client_id or "").get("client.pem", b"")) == made.der
    except (ValueError, DeliveryFailed):
        return False
