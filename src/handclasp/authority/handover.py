"""Hand a certificate over: through the delivery store, into a folder of the caller's choice, or both."""

from datetime import datetime

from handclasp.authority.enrol import Issued
from handclasp.authority.recording import epoch
from handclasp.delivery.port import Credential, Delivery
from handclasp.pki.bundle import full_chain, pkcs12_file
from handclasp.pki.keys import seal
from handclasp.pki.pem import certificate_pem
from handclasp.registry.port import Registry


def credential(issued: Issued, *, pkcs12_passphrase: bytes | None = None) -> Credential:
    """The files of one credential. PKCS#12 needs the key, so it is left out when the client kept its own."""
    archive = None
    if pkcs12_passphrase is not None and issued.key is not None:
        archive = pkcs12_file(issued.client.client_id, issued.key, issued.path, pkcs12_passphrase)
    return Credential(
        client_id=issued.client.client_id,
        certificate=certificate_pem(issued.path[0]),
        full_chain=full_chain(issued.path),
        trust_anchor=certificate_pem(issued.path[-1]),
        key=seal(issued.key) if issued.key is not None else None,
        pkcs12=archive,
    )


def hand_over(
    issued: Issued,
    deliveries: list[Delivery],
    *,
    registry: Registry,
    now: datetime,
    pkcs12_passphrase: bytes | None = None,
) -> list[str]:
    """Deliver to each, then note it in the registry. Returns where it went. Raises DeliveryFailed."""
    handed = credential(issued, pkcs12_passphrase=pkcs12_passphrase)
    places = [delivery.deliver(handed) for delivery in deliveries]
    with registry.change() as change:
        change.set_delivered(issued.certificate.issuer_id, issued.certificate.serial_number, epoch(now))
    return places
