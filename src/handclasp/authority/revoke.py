"""Revoke, suspend and resume. Each returns when it is durable; gateways follow the registry's revision.

All three can be repeated: what is so already stays so, and nothing is written.
"""

from datetime import datetime

from handclasp.authority.lifecycle import Event, next_client_status
from handclasp.authority.recording import details, epoch
from handclasp.errors import NotRegistered
from handclasp.registry.port import Change, Registry
from handclasp.registry.records import Certificate, CertificateStatus, Client, RevocationReason


def revoke_client(
    client_id: str, *, registry: Registry, reason: RevocationReason, actor: str, now: datetime
) -> list[Certificate]:
    """Revoke the client for good, with every certificate it has. Returns those revoked by this call."""
    with registry.change() as change:
        client = change.client(client_id)
        revoked = [c for c in change.certificates(client.client_id) if c.status is CertificateStatus.ACTIVE]
        for certificate in revoked:
            _revoke(change, certificate, reason, actor, now)
        _move(change, client, Event.REVOKE, actor, now, reason=reason)
    return revoked


def revoke_certificate(
    client_id: str, serial_number: str, *, registry: Registry, reason: RevocationReason, actor: str, now: datetime
) -> list[Certificate]:
    """Revoke one certificate of a client that goes on with its others. Empty if it was revoked before."""
    with registry.change() as change:
        client = change.client(client_id)
        found = [c for c in change.certificates(client.client_id) if c.serial_number == serial_number]
        if not found:
            raise NotRegistered(
                f"client {client.client_id} has no certificate with serial number {serial_number}",
                hint=f"handclasp client show {client.client_id} lists them",
            )
        revoked = [c for c in found if c.status is CertificateStatus.ACTIVE]
        for certificate in revoked:
            _revoke(change, certificate, reason, actor, now)
    return revoked


def suspend_client(client_id: str, *, registry: Registry, actor: str, now: datetime) -> Client:
    """Refuse the client until it is resumed. Raises NotRegistered, TransitionRefused."""
    with registry.change() as change:
        return _move(change, change.client(client_id), Event.SUSPEND, actor, now)


def resume_client(client_id: str, *, registry: Registry, actor: str, now: datetime) -> Client:
    """Lift a suspension. Raises NotRegistered, TransitionRefused for a revoked client."""
    with registry.change() as change:
        return _move(change, change.client(client_id), Event.RESUME, actor, now)


def _revoke(change: Change, certificate: Certificate, reason: RevocationReason, actor: str, now: datetime) -> None:
    change.set_certificate_status(certificate, CertificateStatus.REVOKED, at=epoch(now), reason=reason)
    change.record(
        at=epoch(now),
        actor=actor,
        action="certificate.revoke",
        subject=certificate.client_id or "-",
        details=details(
            serial_number=certificate.serial_number,
            before=certificate.status.value,
            after=CertificateStatus.REVOKED.value,
            reason=reason.value,
        ),
    )


def _move(
    change: Change,
    client: Client,
    event: Event,
    actor: str,
    now: datetime,
    reason: RevocationReason | None = None,
) -> Client:
    status = next_client_status(client.client_id, client.status, event)
    if status is not client.status:
        change.set_client_status(client.client_id, status)
        change.record(
            at=epoch(now),
            actor=actor,
            action=f"client.{event}",
            subject=client.client_id,
            details=details(before=client.status.value, after=status.value, reason=reason and reason.value),
        )
    return change.client(client.client_id)
