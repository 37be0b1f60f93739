"""`handclasp operation`: what is under way, what was stopped, and going on with it."""

from typing import Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, say, show_event, show_facts, show_json, show_json_array, show_rows
from handclasp.registry.operations import Operation, OperationStatus

_COLUMNS = ("operation", "kind", "status", "step", "begun", "changed", "says")


@click.group(epilog=example("handclasp operation list", "handclasp operation resume 4f1c9a07be21"))
def operation() -> None:
    """Operations: changes of trust, recorded step by step. A killed one is resumed, never repeated."""


@operation.command(name="list", epilog=example("handclasp operation list --failed"))
@click.option("--failed", is_flag=True, help="Only those that were given up after their retries.")
@click.option("--unfinished", is_flag=True, help="Only those that can be resumed.")
@json_option
@click.pass_obj
def list_operations(session: Session, failed: bool, unfinished: bool, as_json: bool) -> None:
    """List operations, newest first."""
    found = session.registry.operations(unfinished=unfinished or failed)
    if failed:
        found = [each for each in found if each.status is OperationStatus.FAILED]
    if as_json:
        show_json_array(map(_json, found))
    else:
        show_rows(_COLUMNS, map(_row, found))


@operation.command(epilog=example("handclasp operation show 4f1c9a07be21"))
@click.argument("operation_id", metavar="ID")
@json_option
@click.pass_obj
def show(session: Session, operation_id: str, as_json: bool) -> None:
    """Show one operation: where it stands, who works on it, what stopped it."""
    found = session.registry.operation(operation_id)
    if as_json:
        show_json(_json(found))
        return
    show_facts((label.replace("_", " "), value) for label, value in _json(found).items())


@operation.command(
    epilog=example("handclasp operation resume 4f1c9a07be21", "handclasp operation resume 4f1c --lock-out 3")
)
@click.argument("operation_id", metavar="ID")
@click.option("--root-passphrase-file", metavar="FILE", help="If its first step was not done: the root's passphrase.")
@click.option("--lock-out", type=int, metavar="N", help="Agree that this many active clients are locked out.")
@click.option("--yes", is_flag=True, help="Agree to what an emergency asks.")
@json_option
@click.pass_context
def resume(
    ctx: click.Context,
    operation_id: str,
    root_passphrase_file: str | None,
    lock_out: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Go on with an operation where it was stopped. One that is done is done: that is no error."""
    from handclasp.cli.operation_run import run_operation, steps_of  # noqa: PLC0415

    session: Session = ctx.obj
    given: dict[str, Any] = {"root_passphrase_file": root_passphrase_file, "lock_out": lock_out, "yes": yes}
    known = session.registry.operation(operation_id)
    if known.status is OperationStatus.DONE:
        _say_done(known, as_json=as_json)
        return
    steps = steps_of(session, known, given)
    from handclasp.authority.operations.taking import take_up  # noqa: PLC0415

    taken = take_up(operation_id, registry=session.registry, actor=session.actor)
    done = run_operation(session, taken, steps, as_json=as_json)
    ctx.exit(0 if done.status is OperationStatus.DONE else 4)


@operation.command(epilog=example("handclasp operation abandon 4f1c9a07be21"))
@click.argument("operation_id", metavar="ID")
@json_option
@click.pass_obj
def abandon(session: Session, operation_id: str, as_json: bool) -> None:
    """Give an operation up. What its steps did stays; an issuer that does not issue yet is withdrawn."""
    from handclasp.authority.operations.taking import abandon as give_up  # noqa: PLC0415
    from handclasp.authority.rotation.withdraw import settle_deliveries, withdraw_pending  # noqa: PLC0415

    given_up = session.registry.operation(operation_id)
    # Abandoned already, and killed before the rest: that is done now.
    if given_up.status is not OperationStatus.ABANDONED:
        given_up = give_up(operation_id, registry=session.registry, actor=session.actor)
    settle_deliveries(given_up, registry=session.registry, delivery=session.delivery, actor=session.actor)
    withdrawn = withdraw_pending(
        given_up, registry=session.registry, truststore=session.truststore, actor=session.actor, now=session.now
    )
    if as_json:
        show_json(_json(given_up) | {"withdrawn": withdrawn})
        return
    say(f"operation {given_up.operation_id} is abandoned at its step {given_up.step}")
    for issuer_id in withdrawn:
        say(f"issuer {issuer_id} is withdrawn: it has issued nothing to clients")


def _say_done(known: Operation, *, as_json: bool) -> None:
    if as_json:
        show_event({"event": "done", "operation": known.operation_id, "waiting_for": None})
    else:
        say(f"operation {known.operation_id} is done already")


def _json(each: Operation) -> dict[str, Any]:
    import json  # noqa: PLC0415

    return {
        "operation": each.operation_id,
        "kind": each.kind,
        "status": each.status.value,
        "step": each.step,
        "cursor": each.cursor,
        "arguments": json.loads(each.arguments),
        "state": json.loads(each.state),
        "holder": each.holder,
        "lease_until": moment(each.lease_until),
        "attempts": each.attempts,
        "created_at": moment(each.created_at),
        "updated_at": moment(each.updated_at),
        "finished_at": moment(each.finished_at),
        "waiting_for": each.waiting_for,
        "error": each.error,
    }


def _row(each: Operation) -> tuple[object, ...]:
    says = each.error or each.waiting_for or (f"held by {each.holder}" if each.holder else None)
    return (
        each.operation_id,
        each.kind,
        each.status.value,
        each.step,
        moment(each.created_at),
        moment(each.updated_at),
        says,
    )
