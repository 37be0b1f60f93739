"""What the pages say to type can be typed: every command and every option in them exists."""

import re
import shlex
from pathlib import Path

import click
import pytest

from handclasp.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def written_commands() -> list[str]:
    """Lines of code blocks that begin with `$ handclasp`, and inline code that begins with `handclasp`."""
    found = []
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        found += re.findall(r"^\$ (handclasp .+?)(?: +#.*)?$", text, re.MULTILINE)
        found += re.findall(r"`(handclasp [^`]+)`", text)
    return sorted(set(found))


@pytest.mark.parametrize("line", written_commands())
def test_it_exists(line: str) -> None:
    words = shlex.split(line.replace("…", ""))[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    known = {option for parameter in [*command.params, *cli.params] for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known | {"--help"}


def test_every_command_is_mentioned_somewhere() -> None:
    text = " ".join(page.read_text() for page in PAGES)
    missing = [name for name in cli.list_commands(click.Context(cli)) if f"handclasp {name}" not in text]
    assert missing == []
