"""Withdraw what an abandoned rotation made and had not put to use."""

from datetime import datetime
from json import loads

from handclasp.authority.publish import publish
from handclasp.authority.recording import details, epoch
from handclasp.registry.operations import Operation
from handclasp.registry.port import Registry
from handclasp.registry.records import IssuerStatus
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
