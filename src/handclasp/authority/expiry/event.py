"""What has happened that a person should know: operations that failed, gateways gone silent, clients to be told.

Each is told once: an operation that fails again after somebody resumed it, or a gateway that comes back and goes silent
again, is another event.
"""

from collections.abc import Iterator
from dataclasses import replace

from handclasp.authority.expiry.ending import time_text
from handclasp.authority.expiry.expiry import newest_held
from handclasp.authority.expiry.telling import Occasion, of_event
from handclasp.authority.rotation.due import Rotation, is_due
from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS
from handclasp.authority.rotation.gone_over import Pair, judge
from handclasp.authority.rotation.replacement import replacement
from handclasp.registry.operations import OperationStatus
from handclasp.registry.port import Reader
from handclasp.registry.records import ClientStatus

#: A gateway's last report is known to the second, give or take one: reports this close to each other are one silence.
_SAME_SILENCE_SECONDS = 600
#: The rest is told of when these have gone over.
_MOST_STRAGGLERS = 10_000


def failed_operations(registry: Reader) -> Iterator[Occasion]:
    for operation in registry.operations(unfinished=True):
        if operation.status is not OperationStatus.FAILED:
            continue
        yield of_event(
            "operation",
            operation.operation_id,
            f"{operation.operation_id}/{operation.fence}",
            f"operation {operation.operation_id} ({operation.kind}) failed in its step {operation.step}: "
            f"{operation.error or 'no error is recorded'}; resume with: handclasp operation resume "
            f"{operation.operation_id}",
            operation=operation.operation_id,
            operation_kind=operation.kind,
            step=operation.step,
            error=operation.error,
        )


def silent_gateways(registry: Reader) -> Iterator[Occasion]:
    now = registry.now()
    for gateway in registry.gateways():
        if gateway.silent_for <= SILENT_SECONDS:
            continue
        at = int(now - gateway.silent_for) // _SAME_SILENCE_SECONDS
        silence = time_text(int(gateway.silent_for))
        told = of_event(
            "gateway",
            gateway.gateway_id,
            f"{gateway.gateway_id}/{at}",
            f"gateway {gateway.gateway_id} ({gateway.address}) has been silent for {silence}",
            gateway=gateway.gateway_id,
            address=gateway.address,
            silent_for=int(gateway.silent_for),
        )
        yield replace(told, known_by=tuple(f"gateway/{gateway.gateway_id}/{at + near}" for near in (0, -1, 1)))


def stragglers(registry: Reader, *, settle: int) -> Iterator[Occasion]:
    """Who is past the overlap and has not gone over to the new certificate, as `supersede` judges it."""
    now = registry.now()
    for held in registry.superseding(now, limit=_MOST_STRAGGLERS):
        old, new = held.certificate, replacement(registry, held.certificate)
        if held.client.status is not ClientStatus.ACTIVE or new is None:
            continue
        seen = registry.sighting(old.fingerprint), registry.sighting(new.fingerprint)
        verdict = judge(Pair(held.client, old, new, *seen), now, settle)
        if verdict.supersede:
            continue
        yield of_event(
            "straggler",
            held.client.client_id,
            old.fingerprint,
            f"client {held.client.client_id} is past its overlap with certificate {old.serial_number}: {verdict.why}",
            serial_number=old.serial_number,
            fingerprint=old.fingerprint,
            last_seen_at=held.last_seen_at,
            owner=held.client.owner,
            contact=held.client.contact,
        )


def renewals_due(registry: Reader, now: int, rotation: Rotation) -> Iterator[Occasion]:
    """Clients that keep their key to themselves: only they can renew, so they are told when it is time."""
    for held in newest_held(registry):
        certificate = held.certificate
        if not certificate.own_csr or not is_due(certificate, now, rotation):
            continue
        yield of_event(
            "renewal-due",
            held.client.client_id,
            certificate.fingerprint,
            f"client {held.client.client_id} keeps its own key and is due for renewal: it has to send a new CSR "
            f"(handclasp client renew {held.client.client_id} --csr FILE)",
            serial_number=certificate.serial_number,
            fingerprint=certificate.fingerprint,
            owner=held.client.owner,
            contact=held.client.contact,
        )
