"""`handclasp rotate clients`: new certificates beside those clients have."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import ClientName, json_option
from handclasp.cli.output import say

if TYPE_CHECKING:
    from handclasp.authority.operations.operation import Step
    from handclasp.authority.rotation.rotate_clients import ClientRotation


@click.command(
    epilog=example(
        "handclasp rotate clients --due",
        "handclasp rotate clients --client acme --client beta --overlap 7d",
        "handclasp rotate clients --all --same-key --dry-run",
    )
)
@click.option("--due", is_flag=True, help="Those whose time has come. [setting: rotation.due_percent]")
@click.option("--client", "names", type=ClientName(), multiple=True, metavar="NAME", help="This client; repeatable.")
@click.option("--all", "everybody", is_flag=True, help="Every client.")
@click.option(
    "--rekey/--same-key", default=True, help="A new key, unless the client made its own; or the key it has. [rekey]"
)
@click.option(
    "--overlap",
    metavar="TIME",
    help="How long the old certificate stays at least, if unused. [setting: rotation.overlap]",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, to whom, and how long it takes.")
@json_option
@click.pass_context
def clients(
    ctx: click.Context,
    due: bool,
    names: tuple[str, ...],
    everybody: bool,
    rekey: bool,
    overlap: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give clients new certificates beside those they have, with nobody cut off.

    The new one is delivered before anything happens to the old, which is superseded when the client has been seen
    with the new one. A client that made its own key is told, and never given another. With --json each event is a
    line. Killed or interrupted, the same command goes on where it stopped.
    """
    from handclasp.authority.operations.taking import begin  # noqa: PLC0415
    from handclasp.authority.rotation.rotate_clients import ROTATE_CLIENTS, is_anything_to_do  # noqa: PLC0415
    from handclasp.cli.operation_run import run_operation  # noqa: PLC0415
    from handclasp.registry.operations import OperationStatus  # noqa: PLC0415

    session: Session = ctx.obj
    if sum((due, bool(names), everybody)) != 1:
        raise click.UsageError("pass one of --due, --client NAME and --all", ctx)
    arguments = rotation_arguments(session, due=due, names=names, rekey=rekey, overlap=overlap)
    if dry_run:
        from handclasp.cli.rotate.clients_plan import show_plan  # noqa: PLC0415

        show_plan(session, arguments, as_json=as_json)
        return
    is_begun = any(each.kind == ROTATE_CLIENTS for each in session.registry.operations(unfinished=True))
    if not is_begun and not is_anything_to_do(session.registry, session.settings.rotation, arguments):
        _nothing_to_do(session, arguments, as_json=as_json)
        return
    todo = steps(session, arguments, {})
    operation = begin(ROTATE_CLIENTS, arguments, todo, registry=session.registry, actor=session.actor)
    done = run_operation(session, operation, todo, as_json=as_json)
    ctx.exit(0 if done.status is OperationStatus.DONE else 4)


def steps(session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> "Sequence[Step]":  # noqa: ARG001
    """The operation's steps, from what it recorded alone."""
    return rotation_steps(session, arguments)


def rotation_steps(session: Session, arguments: dict[str, Any], *, workers: int | None = None) -> "Sequence[Step]":
    """`workers` is the number of signing processes; None chooses."""
    from handclasp.authority.rotation.rotate_clients import client_rotation_steps  # noqa: PLC0415

    return client_rotation_steps(_rotation(session, workers), arguments)


def rotation_arguments(
    session: Session, *, due: bool = False, names: Sequence[str] = (), rekey: bool = True, overlap: str | None = None
) -> dict[str, Any]:
    """Raises NotRegistered, TransitionRefused for a client that is revoked, InvalidInput."""
    from handclasp.authority.rotation.rotate_clients import client_rotation_arguments  # noqa: PLC0415
    from handclasp.duration import parse_duration  # noqa: PLC0415
    from handclasp.errors import TransitionRefused  # noqa: PLC0415
    from handclasp.registry.records import ClientStatus  # noqa: PLC0415

    known = [session.registry.client(name) for name in names]
    for client in known:
        if client.status is ClientStatus.REVOKED:
            raise TransitionRefused(
                f"client {client.client_id} is revoked: no certificate is issued to it", hint="revocation is final"
            )
    stays = session.settings.rotation.overlap if overlap is None else parse_duration(overlap, "--overlap")
    return client_rotation_arguments(
        clients=[client.client_id for client in known] if names else None,
        due=due,
        rekey=rekey,
        overlap_seconds=int(stays.total_seconds()),
    )


def _rotation(session: Session, workers: int | None) -> "ClientRotation":
    from handclasp import bootstrap  # noqa: PLC0415
    from handclasp.authority.rotation.rotate_clients import ClientRotation  # noqa: PLC0415

    return ClientRotation(
        open_custody=partial(bootstrap.open_custody, session.settings),
        delivery=session.delivery,
        practice=session.practice,
        due=session.settings.rotation,
        settle=int(session.settings.rotation.settle.total_seconds()),
        workers=workers,
    )


def _nothing_to_do(session: Session, arguments: dict[str, Any], *, as_json: bool) -> None:
    """No operation is begun for nothing; but what was replaced before may be due to go."""
    from handclasp.authority.rotation.rotate_clients import plan  # noqa: PLC0415
    from handclasp.authority.rotation.supersede import supersede_due  # noqa: PLC0415
    from handclasp.cli.output import show_event  # noqa: PLC0415

    for planned in plan(session.registry, session.settings.rotation, arguments):
        say(f"client {planned.client.client_id} is left alone: {planned.why}")
    settle = int(session.settings.rotation.settle.total_seconds())
    done = supersede_due(registry=session.registry, actor=session.actor, settle=settle)
    for late in done.stragglers:
        say(f"client {late.client_id} is past its overlap: {late.why}")
    if as_json:
        show_event({"event": "nothing to do", "superseded": done.superseded, "waiting": done.waiting})
        return
    say(f"no certificate is to be replaced; {done.superseded} old ones are superseded")
