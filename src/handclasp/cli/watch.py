"""`handclasp watch`: tell of what expires, before it does."""

from typing import TYPE_CHECKING, Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import data, moment, say, show_event, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handclasp.authority.expiry.telling import Told
    from handclasp.cli.watching import Round
    from handclasp.notice.port import Channel, Notice

#: Between two rounds, in seconds.
_PAUSE_SECONDS = 3_600.0


@click.command(epilog=example("handclasp watch --once", "handclasp watch --test"))
@click.option("--once", is_flag=True, help="One round, for a timer; exit 1 if a channel took nothing.")
@click.option("--test", is_flag=True, help="Send a test notice through every channel, and end.")
@json_option
@click.pass_context
def watch(ctx: click.Context, once: bool, test: bool, as_json: bool) -> None:
    """Tell of certificates, issuers, trust store members and CRLs that end soon, and of what went wrong.

    To stdout, and to the channels that [watch] in handclasp.toml names: webhook, Slack, e-mail. Each channel is told
    once of each threshold that is crossed; what it did not take is sent again by the next round. Without --once there
    is a round every hour, until Ctrl-C.
    """
    from handclasp import bootstrap  # noqa: PLC0415

    session: Session = ctx.obj
    channels = bootstrap.open_channels(session.settings, say if as_json else data)
    if test:
        from handclasp.authority.expiry.telling import trial  # noqa: PLC0415

        ctx.exit(_report_trial(trial(channels), as_json=as_json))
    if once:
        from handclasp.cli.watching import watch_once  # noqa: PLC0415

        done = watch_once(session, channels)
        if as_json:
            show_json(_round_json(done) | {"upcoming": _upcoming(done)})
        report_channels(done.told)
        ctx.exit(1 if done.failed else 0)
    _watch_on(session, channels, as_json=as_json)


def report_channels(told: "Sequence[Told]") -> None:
    """A line for each channel that was told something, or did not take it; the log has spoken for itself."""
    for each in told:
        if each.failed is not None:
            hint = f" ({each.failed.hint})" if each.failed.hint else ""
            say(f"error: {each.failed}{hint}; {_counted(each)} will be sent again")
        elif each.notices and each.channel != "log":
            say(f"{each.channel}: told of {_counted(each)}")


def _watch_on(session: Session, channels: "Sequence[Channel]", *, as_json: bool) -> None:
    """A round that fails is said, and the next one comes: a watch that ends by itself watches nothing."""
    from handclasp.cli.boundary import report  # noqa: PLC0415
    from handclasp.cli.serving import stopping_on_signals  # noqa: PLC0415
    from handclasp.cli.watching import watch_once  # noqa: PLC0415
    from handclasp.errors import RegistryBusy, RegistryUnavailable, StateInUse  # noqa: PLC0415

    with stopping_on_signals() as stop:
        while True:
            try:
                done = watch_once(session, channels)
                if as_json and any(told.notices for told in done.told):
                    show_event(_round_json(done))
                report_channels(done.told)
            except (RegistryBusy, RegistryUnavailable, StateInUse) as error:
                report(error)
            if stop.wait(_PAUSE_SECONDS):
                return


def _report_trial(told: "Sequence[Told]", *, as_json: bool) -> int:
    if as_json:
        show_json({"told": [_told_json(each) for each in told]})
    report_channels(told)
    return 1 if any(each.failed for each in told) else 0


def _round_json(done: "Round") -> dict[str, Any]:
    return {"at": moment(done.at), "told": [_told_json(each) for each in done.told]}


def _told_json(each: "Told") -> dict[str, Any]:
    return {
        "channel": each.channel,
        "error": str(each.failed) if each.failed else None,
        "notices": [_notice_json(notice) for notice in each.notices],
    }


def _notice_json(notice: "Notice") -> dict[str, Any]:
    return {
        **notice.facts,
        "kind": notice.kind,
        "subject": notice.subject,
        "threshold": notice.threshold,
        "message": notice.message,
        "ends_at": moment(notice.ends_at),
    }


def _upcoming(done: "Round") -> list[dict[str, Any]]:
    from handclasp.authority.expiry.threshold import next_crossing  # noqa: PLC0415

    return [
        {
            **each.facts,
            "kind": each.kind,
            "subject": each.subject,
            "ends_at": moment(each.not_after),
            "next_notice_at": moment(next_crossing(each.not_before, each.not_after, done.at, done.thresholds)),
        }
        for each in done.endings
    ]


def _counted(told: "Told") -> str:
    return f"{len(told.notices)} notice{'s' if len(told.notices) != 1 else ''}"
