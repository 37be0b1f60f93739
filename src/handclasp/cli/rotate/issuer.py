"""`handclasp rotate issuer` and `rotate root`: a new issuer in the old one's place, step by step."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.root_passphrase import RootPassphrase
from handclasp.errors import InvalidInput

if TYPE_CHECKING:
    from handclasp.authority.operations.operation import Step
    from handclasp.authority.probe import Probe
    from handclasp.authority.rotation.lock_out import LockedOut
    from handclasp.authority.rotation.rotate_issuer import Rotation
    from handclasp.registry.fleet import Gateway

_F = TypeVar("_F", bound=Callable[..., Any])
_Decorator = Callable[[Any], Any]
_RE_ISSUED = "re-issued"
_REASONS = ("keyCompromise", "cACompromise", "superseded", "cessationOfOperation")


def _rotation_options(command: _F) -> _F:
    options: list[_Decorator] = [
        click.option("--root-passphrase-file", metavar="FILE", help="The root's passphrase, on its first line."),
        click.option(
            "--idle-for",
            default="24h",
            show_default=True,
            metavar="TIME",
            help="Retire the old when nobody has used it for so long.",
        ),
        click.option(
            "--deadline",
            default="7d",
            show_default=True,
            metavar="TIME",
            help="Wait no longer than this after the re-issue.",
        ),
        click.option("--until", type=click.Choice([_RE_ISSUED]), help="Stop before waiting; resume it later."),
        click.option("--days", type=int, metavar="N", help="Lifetime of the new issuer."),
        click.option("--rekey", is_flag=True, help="New keys for clients whose key was made here."),
        click.option("--lock-out", type=int, metavar="N", help="Agree to lock out this many at the deadline."),
        click.option("--emergency", is_flag=True, help="The old key is compromised: wait for nobody."),
        click.option("--reason", type=click.Choice(_REASONS, case_sensitive=False), help="Why, for the trail."),
        click.option("--yes", is_flag=True, help="With --emergency: do not ask before clients are cut off."),
        click.option("--dry-run", is_flag=True, help="Say what would happen, to whom, and how long it takes."),
        json_option,
        click.pass_context,
    ]
    for decorate in reversed(options):
        command = decorate(command)
    return command


@click.command(
    epilog=example(
        "handclasp rotate issuer --root-passphrase-file root.pass --dry-run",
        "handclasp rotate issuer --root-passphrase-file root.pass --idle-for 24h --deadline 7d",
        "handclasp rotate issuer --root-passphrase-file root.pass --emergency --reason keyCompromise",
    )
)
@_rotation_options
def issuer(ctx: click.Context, **given: Any) -> None:
    """Replace the intermediate, and every client's certificate with it, with nobody cut off.

    The new one is published beside the old and shown to work at every gateway before it issues; the old is retired
    when the gateways have seen nobody with it for --idle-for. Clients keep their keys unless --rekey.
    """
    _rotate(ctx, "rotate-issuer", given)


@click.command(epilog=example("handclasp rotate root --root-passphrase-file root.pass --idle-for 7d --deadline 30d"))
@_rotation_options
def root(ctx: click.Context, **given: Any) -> None:
    """Replace the root and the intermediate below it, with nobody cut off.

    Both roots are published meanwhile, clients are given both, and the new one is cross-signed by the old for who
    still pins that. The passphrase opens the old root's key and seals the new one's.
    """
    _rotate(ctx, "rotate-root", given)


def _rotate(ctx: click.Context, kind: str, given: dict[str, Any]) -> None:
    from handclasp.authority.operations.taking import begin  # noqa: PLC0415
    from handclasp.authority.rotation.rotate_issuer import AFTER_REISSUE, ROTATE_ISSUER, ROTATE_ROOT  # noqa: PLC0415
    from handclasp.cli.operation_run import run_operation  # noqa: PLC0415
    from handclasp.registry.operations import OperationStatus  # noqa: PLC0415

    session: Session = ctx.obj
    arguments = _arguments(given)
    given["passphrase"] = RootPassphrase(given["root_passphrase_file"])
    if given["dry_run"]:
        from handclasp.cli.rotate.issuer_plan import show_plan  # noqa: PLC0415

        show_plan(session, kind, arguments, as_json=given["as_json"])
        return
    steps = _steps(session, kind, arguments, given)
    _check_passphrase(session, kind, given)
    operation = begin(
        kind,
        arguments,
        steps,
        registry=session.registry,
        actor=session.actor,
        apart_from=(ROTATE_ISSUER, ROTATE_ROOT),
    )
    until = AFTER_REISSUE if given["until"] == _RE_ISSUED else None
    done = run_operation(session, operation, steps, until=until, as_json=given["as_json"])
    ctx.exit(0 if done.status is OperationStatus.DONE or (until and done.step == until) else 4)


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """What makes this operation this one: the same again takes it up. Raises InvalidInput."""
    from handclasp.duration import parse_duration  # noqa: PLC0415
    from handclasp.pki.profile import INTERMEDIATE  # noqa: PLC0415

    if given["yes"] and not given["emergency"]:
        raise InvalidInput("--yes goes with --emergency")
    if given["emergency"] and not given["reason"]:
        raise InvalidInput("--emergency needs a --reason, for the audit trail", hint="such as --reason keyCompromise")
    INTERMEDIATE.lasting(given["days"])
    return {
        "idle_for": _seconds(parse_duration(given["idle_for"], "--idle-for")),
        "deadline": _seconds(parse_duration(given["deadline"], "--deadline")),
        "days": given["days"],
        "rekey": given["rekey"],
        "emergency": given["emergency"],
        "reason": given["reason"],
    }


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _check_passphrase(session: Session, kind: str, given: dict[str, Any]) -> None:
    """A wrong passphrase is found before there is an operation. Raises KeyUnavailable, InvalidInput."""
    import json  # noqa: PLC0415

    from handclasp.authority.rotation.new_issuer import active_root  # noqa: PLC0415

    unfinished = session.registry.operations(unfinished=True)
    if any(each.kind == kind and "new" in json.loads(each.state) for each in unfinished):
        return
    top = active_root(session.registry)
    passphrase: RootPassphrase = given["passphrase"]
    session.custody.signer(top.key_name or "", passphrase.look())


def issuer_steps(session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> "Sequence[Step]":
    return _steps(session, "rotate-issuer", arguments, given)


def root_steps(session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> "Sequence[Step]":
    return _steps(session, "rotate-root", arguments, given)


def _steps(session: Session, kind: str, arguments: dict[str, Any], given: dict[str, Any]) -> "Sequence[Step]":
    from handclasp.authority.rotation.rotate_issuer import issuer_rotation_steps  # noqa: PLC0415

    return issuer_rotation_steps(kind, _rotation(session, arguments, given))


def _rotation(session: Session, arguments: dict[str, Any], given: dict[str, Any]) -> "Rotation":
    from handclasp.authority.issuers import certificate_of  # noqa: PLC0415
    from handclasp.authority.rotation.gateway_evidence import Answer, Evidence  # noqa: PLC0415
    from handclasp.authority.rotation.rotate_issuer import Rotation  # noqa: PLC0415
    from handclasp.cli.rotate.reissuing import reissue_of_issuer  # noqa: PLC0415
    from handclasp.registry.records import IssuerKind, IssuerStatus  # noqa: PLC0415
    from handclasp.verify.canary import ask_gateway  # noqa: PLC0415

    def ask(gateway: "Gateway", probe: "Probe") -> Answer:
        roots = [i for i in session.registry.issuers() if i.kind is IssuerKind.ROOT]
        anchors = tuple(certificate_of(i) for i in roots if i.status is not IssuerStatus.RETIRED)
        return ask_gateway(gateway, probe, anchors)

    return Rotation(
        custody=session.custody,
        truststore=session.truststore,
        evidence=Evidence(session.custody, session.practice, ask),
        passphrase=given.get("passphrase") or RootPassphrase(given.get("root_passphrase_file")),
        reissue=partial(reissue_of_issuer, session, rekey=arguments["rekey"]),
        lock_out=given.get("lock_out"),
        agree=partial(_agree, yes=bool(given.get("yes"))),
    )


def _agree(found: "list[LockedOut]", *, yes: bool) -> bool:
    """The list first, then the question."""
    import sys  # noqa: PLC0415

    from handclasp.cli.output import moment, say  # noqa: PLC0415

    for each in found:
        say(f"  {each.client_id}: {each.why}, last seen {moment(each.last_seen_at) or 'never'}")
    if yes or not found:
        return True
    return bool(sys.stdin and sys.stdin.isatty() and click.confirm(f"Cut off {len(found)} clients now?", err=True))
