"""`handclasp completion`: the script that teaches a shell our commands."""

import click

from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import show_json


@click.command(
    epilog=example(
        'eval "$(handclasp completion bash)"   # in ~/.bashrc',
        "handclasp completion fish > ~/.config/fish/completions/handclasp.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the completion script for SHELL: commands, options, and the names of registered clients."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - Click has a class for each of the choices
    script = kind(ctx.find_root().command, {}, "handclasp", "_HANDCLASP_COMPLETE").source()
    if as_json:
        show_json({"shell": shell, "script": script})
    else:
        click.echo(script)
