"""`handclasp schedule show`: how often it runs, and what is on its mind."""

from pathlib import Path

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import show_facts, show_json


@click.command(epilog=example("handclasp schedule show", "handclasp schedule show --json"))
@click.option("--systemd", metavar="DIR", type=click.Path(path_type=Path), help="Where the units may be, too.")
@json_option
@click.pass_obj
def show(session: Session, systemd: Path | None, as_json: bool) -> None:
    """Show the settings of the schedule, where it is installed, and the operations it has to do with."""
    from handclasp.cli.schedule.places import unit_files, unit_folder  # noqa: PLC0415
    from handclasp.duration import duration_text  # noqa: PLC0415
    from handclasp.registry.operations import OperationStatus  # noqa: PLC0415

    rotation = session.settings.rotation
    unfinished = session.registry.operations(unfinished=True)
    failed = [each.operation_id for each in unfinished if each.status is OperationStatus.FAILED]
    folders = [unit_folder(None, own_manager=False), unit_folder(None, own_manager=True)]
    folders += [systemd] if systemd else []
    timers = [str(path) for folder in folders for path in unit_files(folder) if path.suffix == ".timer"]
    facts = {
        "rate": duration_text(rotation.rate),
        "flexible_window": duration_text(rotation.flexible_window),
        "retries": rotation.retries,
        "maximum_age": duration_text(rotation.maximum_age),
        "installed": [path for path in timers if Path(path).exists()],
        "unfinished": [each.operation_id for each in unfinished if each.operation_id not in failed],
        "failed": failed,
    }
    if as_json:
        show_json(facts)
        return
    show_facts(
        (label.replace("_", " "), (", ".join(value) or "none") if isinstance(value, list) else value)
        for label, value in facts.items()
    )
