"""Click groups that know their commands' names and one-line descriptions without importing them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

#: command name -> (where it is, "module:attribute"; its line in the group's help)
CommandTable = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """A group whose table says where each command is; only the one that is run is imported."""

    def __init__(self, *args: Any, table: CommandTable, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415

            close = "".join(f"; did you mean {match}?" for match in get_close_matches(name, self.table, n=1))
            raise click.UsageError(f"no such command: {name!r}{close}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def example(*lines: str) -> str:
    """The end of a command's help: what to type, kept line by line."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
