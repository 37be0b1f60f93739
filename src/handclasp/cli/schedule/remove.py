"""`handclasp schedule remove`: take away what install wrote."""

from pathlib import Path

import click

from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import data, say, show_json
from handclasp.errors import InvalidInput


@click.command(epilog=example("handclasp schedule remove", "handclasp schedule remove --cron /etc/cron.d/handclasp"))
@click.option("--systemd", metavar="DIR", type=click.Path(path_type=Path), help="Where the units are.")
@click.option("--user", "own_manager", is_flag=True, help="Those of your own systemd.")
@click.option("--cron", metavar="FILE", type=click.Path(path_type=Path), help="The file in /etc/cron.d.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_option
def remove(systemd: Path | None, own_manager: bool, cron: Path | None, dry_run: bool, as_json: bool) -> None:
    """Remove the units or the file of a schedule; what was not written by install stays."""
    from handclasp.cli.schedule.places import read_marked, unit_files, unit_folder  # noqa: PLC0415
    from handclasp.cli.schedule.systemd_units import MARK, NAME  # noqa: PLC0415

    if cron is not None and (systemd is not None or own_manager):
        raise click.UsageError("--cron goes with neither --systemd nor --user")
    files = [cron] if cron is not None else unit_files(unit_folder(systemd, own_manager=own_manager))
    found = [(path, text) for path in files if (text := read_marked(path)) is not None]
    for path, text in found:
        if not text.startswith(MARK):
            raise InvalidInput(f"{path} was not written by handclasp schedule install", hint="remove it yourself")
    for path, _ in found:
        if not dry_run:
            _unlink(path)
    systemctl = "systemctl --user" if own_manager else "systemctl"
    following = [f"{systemctl} disable --now {NAME}.timer", f"{systemctl} daemon-reload"] if found and not cron else []
    if as_json:
        show_json({"removed": [] if dry_run else [str(path) for path, _ in found], "run_next": following})
        return
    for path, _ in found:
        data(str(path))
    if not found:
        say("there is no schedule here")
    for line in following:
        say(f"next: {line}")


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be removed: {error.strerror}", hint="run it as root, or pass --user"
        ) from None
