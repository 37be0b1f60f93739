"""`handclasp schedule run`: do what is due, once."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import say, show_event

if TYPE_CHECKING:
    from handclasp.cli.scheduled import Outcome, Ticking

#: A gateway reports every few seconds; one on a machine that was asleep until a moment ago has not yet.
_REPORT_SECONDS = 20.0


@click.command(epilog=example("handclasp schedule run", "handclasp schedule run --json"))
@json_option
@click.pass_context
def run(ctx: click.Context, as_json: bool) -> None:
    """Do what is due, once: what a timer calls, and anybody may.

    Resume or retry operations, rotate certificates that are due, supersede replaced ones, tell of what ends, sign the
    audit trail. Operations that fail are retried here, with growing pauses, before they are put on the list of
    `handclasp operation list --failed`. Exit 1 if a part failed; the others are done all the same.
    """
    from handclasp.cli.scheduled import PARTS, Ticking, seconds_to_retry, tick  # noqa: PLC0415
    from handclasp.cli.serving import stopping_on_signals  # noqa: PLC0415

    session: Session = ctx.obj
    _ = session.registry.revision()
    with stopping_on_signals() as stop:
        ticking = Ticking(session, stop.wait, say, session.settings.rotation.maximum_age.total_seconds())
        _await_reports(ticking)
        given_up = _given_up(session)
        errors: dict[str, str | None] = {}
        parts = list(PARTS)
        while True:
            for outcome in tick(ticking, parts):
                errors[outcome.part] = outcome.error
                _show(outcome, as_json=as_json)
            pause = seconds_to_retry(session)
            if pause is None or ticking.wait(pause):
                break
            # Of what is given up now somebody is told now.
            parts = ["operations", "watch"]
        failed = any(errors.values()) or _given_up(session) > given_up
        stopped = stop.is_set()
    if stopped:
        from handclasp.errors import Interrupted  # noqa: PLC0415

        raise Interrupted("the schedule was interrupted", hint="resume with: handclasp schedule run")
    ctx.exit(1 if failed else 0)


def _await_reports(ticking: "Ticking") -> None:
    """Who is superseded depends on what gateways have seen: after a machine slept, let them speak first."""
    from handclasp.authority.rotation.gateway_evidence import live_gateways  # noqa: PLC0415

    deadline = time.monotonic() + _REPORT_SECONDS
    while live_gateways(ticking.session.registry)[1] and time.monotonic() < deadline:
        if ticking.wait(0.5):
            return


def _given_up(session: Session) -> int:
    from handclasp.registry.operations import OperationStatus  # noqa: PLC0415

    return sum(each.status is OperationStatus.FAILED for each in session.registry.operations(unfinished=True))


def _show(outcome: "Outcome", *, as_json: bool) -> None:
    if as_json:
        show_event(asdict(outcome))
    elif outcome.error:
        say(f"{outcome.part}: error: {outcome.error}")
    elif outcome.done:
        say(f"{outcome.part}: {outcome.done}")
