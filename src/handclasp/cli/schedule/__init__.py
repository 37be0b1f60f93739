"""`handclasp schedule ...`: one file per verb."""

import click

from handclasp.cli.lazy import LazyGroup, example

_HERE = "handclasp.cli.schedule"


@click.group(
    cls=LazyGroup,
    table={
        "install": (f"{_HERE}.install:install", "Write a systemd timer, or a line for cron."),
        "remove": (f"{_HERE}.remove:remove", "Take away what install wrote."),
        "run": (f"{_HERE}.run:run", "Do what is due, once: what the timer calls."),
        "show": (f"{_HERE}.show:show", "Show how often it runs, and what is on its mind."),
    },
    epilog=example("handclasp schedule install", "handclasp schedule run"),
)
def schedule() -> None:
    """Let a timer rotate, supersede, tell and sign what is due. `handclasp up` does the same by itself."""
