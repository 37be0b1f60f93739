"""`handclasp schedule install`: a systemd timer, or a line for cron."""

from pathlib import Path
from typing import Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import data, say, show_json

#: `--cron` without a file.
_STDOUT = "-"


@click.command(
    epilog=example(
        "handclasp schedule install --dry-run",
        "handclasp schedule install --user",
        "handclasp schedule install --cron /etc/cron.d/handclasp",
    )
)
@click.option("--systemd", metavar="DIR", type=click.Path(path_type=Path), help="Write the units here.")
@click.option("--user", "own_manager", is_flag=True, help="For your own systemd, not the machine's.")
@click.option(
    "--cron",
    metavar="[FILE]",
    is_flag=False,
    flag_value=_STDOUT,
    help="A line for crontab -e; with FILE, one for /etc/cron.d.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
@json_option
@click.pass_obj
def install(
    session: Session, systemd: Path | None, own_manager: bool, cron: str | None, dry_run: bool, as_json: bool
) -> None:
    """Write what calls `handclasp schedule run` as often as the setting rotation.rate says.

    A systemd service and timer in /etc/systemd/system; the service runs as the state folder's owner and may write
    nothing but that. It prints what to run next: nothing is started by this command.
    """
    if cron is not None and (systemd is not None or own_manager):
        raise click.UsageError("--cron goes with neither --systemd nor --user")
    _ = session.registry.revision()  # a schedule of nothing would fail by night
    files, following = _cron(session, cron) if cron is not None else _systemd(session, systemd, own_manager=own_manager)
    written = cron != _STDOUT and not dry_run
    if written:
        from handclasp.cli.schedule.places import write_marked  # noqa: PLC0415

        for path, text in files.items():
            write_marked(path, text)
    _warn(session)
    _show(files, following, written=written, as_json=as_json)


def _systemd(session: Session, given: Path | None, *, own_manager: bool) -> tuple[dict[Path, str], list[str]]:
    from handclasp.cli.schedule import places  # noqa: PLC0415
    from handclasp.cli.schedule.command_line import schedule_command  # noqa: PLC0415
    from handclasp.cli.schedule.systemd_units import NAME, Plan, units  # noqa: PLC0415

    rotation = session.settings.rotation
    plan = Plan(
        command=schedule_command(session),
        state=str(session.state.absolute()),
        writable=places.written_beside_the_state(session),
        rate=rotation.rate,
        window=rotation.flexible_window,
        user=None if own_manager else places.owner_of(session),
        own_manager=own_manager,
    )
    folder = places.unit_folder(given, own_manager=own_manager)
    systemctl = "systemctl --user" if own_manager else "systemctl"
    following = [f"{systemctl} daemon-reload", f"{systemctl} enable --now {NAME}.timer"]
    return {folder / name: text for name, text in units(plan).items()}, following


def _cron(session: Session, cron: str) -> tuple[dict[Path, str], list[str]]:
    from handclasp.cli.schedule.command_line import schedule_command  # noqa: PLC0415
    from handclasp.cli.schedule.cron_line import cron_line  # noqa: PLC0415
    from handclasp.cli.schedule.places import owner_of  # noqa: PLC0415
    from handclasp.cli.schedule.systemd_units import mark  # noqa: PLC0415

    command, rate = schedule_command(session), session.settings.rotation.rate
    if cron == _STDOUT:
        return {Path(_STDOUT): cron_line(command, rate) + "\n"}, ["crontab -e, and add the line"]
    line = cron_line(command, rate, user=owner_of(session) or "root")
    return {Path(cron): f"{mark(str(session.state.absolute()))}\n{line}\n"}, []


def _warn(session: Session) -> None:
    from handclasp.cli.schedule.command_line import unseen_variables  # noqa: PLC0415
    from handclasp.duration import duration_text  # noqa: PLC0415

    if unseen := unseen_variables():
        say(f"warning: a timer does not see {', '.join(unseen)}: write what they say into handclasp.toml")
    rotation, days = session.settings.rotation, session.settings.authority.client_days
    latest = days * (100 - rotation.due_percent - rotation.jitter_percent) / 100
    if rotation.rate.total_seconds() > latest * 86_400:
        say(
            f"warning: rotation.rate is {duration_text(rotation.rate)}: certificates of {days} d are due for only "
            f"{latest * 24:.0f} h before they end, and could end between two runs"
        )


def _show(files: dict[Path, str], following: list[str], *, written: bool, as_json: bool) -> None:
    if as_json:
        shown: list[dict[str, Any]] = [{"path": str(path), "content": text} for path, text in files.items()]
        show_json({"written": written, "files": shown, "run_next": following})
        return
    for path, text in files.items():
        if written:
            data(str(path))
            continue
        if str(path) != _STDOUT:
            data(f"# {path}")
        for line in text.splitlines():
            data(line)
    for line in following:
        say(f"next: {line}")
