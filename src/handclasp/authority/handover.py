"""Hand a certificate over: through the delivery store, into a folder of the caller's choice, or both."""

from datetime import datetime

from handclasp.authority.enrol import Issued
from handclasp.authority.recording import epoch
from handclasp.delivery.port import Credential, Delivery
from handclasp.errors import TransitionRefused
from handclasp.pki.bundle import full_chain, pkcs12_file
from handclasp.pki.keys import seal
from handclasp.pki.pem import certificate_pem
from handclasp.registry.port import Registry
from handclasp.registry.records import CertificateStatus


def credential(issued: Issued, *, pkcs12_passphrase: bytes | None = None) -> Credential:
    """The files of one credential. PKCS#12 needs the key, so it is left out when the client kept its own."""
    archive = None
    if pkcs12_passphrase is not None and issued.key is not None:
        archive = pkcs12_file(issued.client.client_id, issued.key, issued.path, pkcs12_passphrase)
    return Credential(
        client_id=issued.client.client_id,
        certificate=certificate_pem(issued.path[0]),
        full_chain=full_chain(issued.path),
        trust_anchor=certificate_pem(*issued.anchors),
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
    """Deliver to each and note it in the registry. Returns where it went.

    It is done under the registry's write lock: of two runs that enrol or renew one client at once, the files of the
    one whose certificate is still active stay, whole. Raises DeliveryFailed, or TransitionRefused when another run
    has superseded this certificate meanwhile.
    """
    handed = credential(issued, pkcs12_passphrase=pkcs12_passphrase)
    key = (issued.certificate.issuer_id, issued.certificate.serial_number)
    with registry.change() as change:
        if change.certificate(*key).status is not CertificateStatus.ACTIVE:
            raise TransitionRefused(
                f"the certificate for client {issued.client.client_id} was revoked before it was delivered",
                hint=f"another run issued one at the same time: handclasp client show {issued.client.client_id}",
            )
        places = [delivery.deliver(handed) for delivery in deliveries]
        change.set_delivered(*key, epoch(now))
    return places
