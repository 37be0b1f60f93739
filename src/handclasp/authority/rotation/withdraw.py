"""What an abandoned rotation leaves behind: withdraw what it had not put to use, note what it had."""

from datetime import datetime
from json import loads

from handclasp.authority.publish import publish
from handclasp.authority.recording import details, epoch
from handclasp.authority.rotation.reissue_unfinished import is_there, read_noted
from handclasp.delivery.port import Delivery
from handclasp.registry.operations import Operation
from handclasp.registry.port import Registry
from handclasp.registry.records import CertificateStatus, IssuerStatus, RevocationReason
from handclasp.truststore.port import Truststore


def withdraw_pending(
    operation: Operation, *, registry: Registry, truststore: Truststore, actor: str, now: datetime
) -> list[str]:
    """Retire the issuers it made that are pending still, and publish without them. Returns their ids."""
    made = set(loads(operation.state).get("new", []))
    with registry.change() as change:
        pending = [i for i in change.issuers() if i.issuer_id in made and i.status is IssuerStatus.PENDING]
        for issuer in pending:
            change.set_issuer_status(issuer.issuer_id, IssuerStatus.RETIRED)
            change.record(
                at=epoch(now),
                actor=actor,
                action=f"{issuer.kind}.retire",
                subject=issuer.issuer_id,
                details=details(before="pending", after="retired", operation=operation.operation_id),
            )
    if pending:
        publish(registry=registry, truststore=truststore, actor=actor, now=now)
    return [issuer.issuer_id for issuer in pending]


def settle_deliveries(operation: Operation, *, registry: Registry, delivery: Delivery, actor: str) -> int:
    """Note the certificates whose files a killed run had switched over, and revoke those that nobody was given.

    Without it the registry would take the certificate before for the one its client holds. Returns how many there
    were. Can be repeated.
    """
    found = 0
    for before_issuer, before_serial, issuer, serial in read_noted(loads(operation.state).get("undelivered", {})):
        with registry.change() as change:
            made = change.certificate(issuer, serial)
            if made.status is not CertificateStatus.ACTIVE or made.delivered_at is not None:
                continue
            found += 1
            now = change.now()
            delivered = is_there(made, delivery)
            if delivered:
                change.set_delivered(issuer, serial, now)
                replaced = change.certificate(before_issuer, before_serial)
                change.set_replaced(replaced, replaced_by=made.fingerprint, supersede_at=now + _overlap(operation))
            else:
                change.set_certificate_status(
                    made, CertificateStatus.REVOKED, at=now, reason=RevocationReason.SUPERSEDED
                )
            change.record(
                at=now,
                actor=actor,
                action="certificate.deliver" if delivered else "certificate.revoke",
                subject=made.client_id or "-",
                details=details(serial_number=serial, delivered=delivered, operation=operation.operation_id),
            )
    return found


def _overlap(operation: Operation) -> int:
    """Seconds: what the rotation of clients was asked for, or an issuer's deadline."""
    arguments = loads(operation.arguments)
    return int(arguments.get("overlap", arguments.get("deadline", 0)))
