"""Take an operation's lease: begin one, take up one that was stopped, or give one up for good."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from handclasp.authority.operations.lease import LEASE_SECONDS, is_gone, this_process
from handclasp.authority.operations.operation import Step
from handclasp.authority.recording import details
from handclasp.errors import LeaseHeld, TransitionRefused
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.port import Change, Registry


def begin(
    kind: str,
    arguments: dict[str, Any],
    steps: Sequence[Step],
    *,
    registry: Registry,
    actor: str,
    apart_from: Sequence[str] = (),
) -> Operation:
    """The lease of a new operation, or of the unfinished one with the same arguments: a killed run is taken up.

    Raises LeaseHeld when another process works on it, TransitionRefused when an unfinished one of this kind (or of
    `apart_from`) has other arguments.
    """
    written = json.dumps(arguments, sort_keys=True)
    with registry.change() as change:
        for known in change.operations(unfinished=True):
            if known.kind != kind and known.kind not in apart_from:
                continue
            _refuse_while_held(known, change.now())
            if known.kind == kind and known.arguments == written:
                return _taken(change, known, actor)
            raise TransitionRefused(
                f"operation {known.operation_id} ({known.kind}) is unfinished",
                hint=f"handclasp operation resume {known.operation_id}, or: operation abandon {known.operation_id}",
            )
        now = change.now()
        operation = Operation(
            operation_id=secrets.token_hex(6),
            kind=kind,
            arguments=written,
            status=OperationStatus.OPEN,
            step=steps[0].name,
            cursor=None,
            state="{}",
            holder=this_process(),
            lease_until=now + LEASE_SECONDS,
            fence=1,
            attempts=0,
            created_at=now,
            updated_at=now,
        )
        change.add_operation(operation)
        change.record(
            at=now,
            actor=actor,
            action="operation.begin",
            subject=operation.operation_id,
            details=details(kind=kind, arguments=arguments),
        )
    return operation


def take_up(operation_id: str, *, registry: Registry, actor: str) -> Operation:
    """The lease of an unfinished operation. Raises NotRegistered, LeaseHeld, TransitionRefused when it is over.

    It is in the audit trail, but for one that waits: that is looked at again and again, and nothing changes by it.
    """
    with registry.change() as change:
        known = change.operation(operation_id)
        if known.status in {OperationStatus.DONE, OperationStatus.ABANDONED}:
            raise TransitionRefused(f"operation {operation_id} is {known.status.value}: there is nothing to resume")
        _refuse_while_held(known, change.now())
        return _taken(change, known, actor)


def abandon(operation_id: str, *, registry: Registry, actor: str) -> Operation:
    """Give it up where it stands; what its steps did stays. Raises NotRegistered, LeaseHeld, TransitionRefused."""
    with registry.change() as change:
        known = change.operation(operation_id)
        if known.status in {OperationStatus.DONE, OperationStatus.ABANDONED}:
            raise TransitionRefused(f"operation {operation_id} is {known.status.value} already")
        _refuse_while_held(known, change.now())
        now = change.now()
        given_up = replace(
            known,
            status=OperationStatus.ABANDONED,
            holder=None,
            lease_until=None,
            fence=known.fence + 1,
            updated_at=now,
            finished_at=now,
            waiting_for=None,
        )
        change.save_operation(given_up)
        change.record(
            at=now,
            actor=actor,
            action="operation.abandon",
            subject=operation_id,
            details=details(kind=known.kind, step=known.step),
        )
    return given_up


def _refuse_while_held(operation: Operation, now: int) -> None:
    if operation.holder is None or (operation.lease_until or 0) <= now or operation.holder == this_process():
        return
    if not is_gone(operation.holder):
        host, pid, _ = operation.holder.rsplit("/", 2)
        raise LeaseHeld(
            f"operation {operation.operation_id} ({operation.kind}) is being worked on by process {pid} on {host}",
            hint=f"its lease ends in {(operation.lease_until or 0) - now} s unless it is renewed",
        )


def _taken(change: Change, operation: Operation, actor: str) -> Operation:
    now = change.now()
    taken = replace(
        operation,
        status=OperationStatus.OPEN,
        holder=this_process(),
        lease_until=now + LEASE_SECONDS,
        fence=operation.fence + 1,
        updated_at=now,
        waiting_for=None,
    )
    change.save_operation(taken)
    if operation.status is not OperationStatus.WAITING:
        change.record(
            at=now,
            actor=actor,
            action="operation.resume",
            subject=operation.operation_id,
            details=details(kind=operation.kind, step=operation.step),
        )
    return taken
