"""Every command teaches, completes, and speaks JSON."""

import json
from collections.abc import Iterator

import click
import pytest

from handclasp import __version__
from handclasp.cli.main import cli
from tests.cli.terminal import Terminal


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


_ALL = dict(_commands(cli))
_LEAVES = {path: command for path, command in _ALL.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", _ALL, ids=" ".join)
def test_help_says_what_it_is_for_and_gives_an_example(terminal: Terminal, path: tuple[str, ...]) -> None:
    outcome = terminal(" ".join([*path, "--help"]))
    assert outcome.code == 0
    assert "Example:" in outcome.out
    assert f"    {' '.join(['handclasp', *path])}" in outcome.out.replace('eval "$(', "")
    assert all(len(line) <= 100 or line.startswith("    ") for line in outcome.out.splitlines())
    help_text = _ALL[path].help
    assert help_text is not None
    assert help_text.split("\n")[0].endswith((".", "?", ":", ","))


@pytest.mark.parametrize("path", _ALL, ids=" ".join)
def test_the_lazy_tables_name_each_command_as_it_names_itself(path: tuple[str, ...]) -> None:
    assert not path or _ALL[path].name == path[-1]


@pytest.mark.parametrize("path", _LEAVES, ids=" ".join)
def test_every_command_has_json(path: tuple[str, ...]) -> None:
    assert any("--json" in parameter.opts for parameter in _LEAVES[path].params)


@pytest.mark.parametrize("path", _LEAVES, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    for parameter in _LEAVES[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.show_default, parameter.opts


@pytest.mark.parametrize(
    "line",
    [
        "client list",
        "client list --status revoked",
        "client show acme",
        "client renew acme",
        "client revoke acme",
        "client suspend acme --lock-out 1",
        "client resume acme",
        "client export acme --out out",
        "client add beta --environment prod --application web",
        "ca list",
        "ca show",
        "ca verify",
        "truststore show",
        "truststore check",
        "truststore publish",
        "audit list",
        "audit verify",
        "status",
        "init --root-passphrase-file root.pass",
        "completion zsh",
        "doctor --cert root.pass",
    ],
)
def test_json_is_all_that_is_on_stdout(established: Terminal, line: str) -> None:
    established.add("acme")
    outcome = established(f"{line} --json")
    assert json.loads(outcome.out) is not None
    assert "error" not in outcome.err


def test_the_version_is_the_package_s(terminal: Terminal) -> None:
    assert terminal("--version").out == f"handclasp {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shell_s_script(terminal: Terminal, shell: str) -> None:
    assert "_HANDCLASP_COMPLETE" in terminal(f"completion {shell}").out


def test_the_shell_completes_commands_and_client_names(established: Terminal) -> None:
    established.add("acme")
    established.add("acorn")
    environ = {
        "_HANDCLASP_COMPLETE": "bash_complete",
        "COMP_WORDS": f"handclasp --state {established.state} client show ac",
        "COMP_CWORD": "5",
    }
    assert established.process("", environ=environ).out.split() == ["plain,acme", "plain,acorn"]
    environ |= {"COMP_WORDS": "handclasp cl", "COMP_CWORD": "1"}
    assert established.process("", environ=environ).out.split() == ["plain,client"]


def test_completion_of_names_says_nothing_where_nothing_is_established(terminal: Terminal) -> None:
    environ = {
        "_HANDCLASP_COMPLETE": "bash_complete",
        "COMP_WORDS": f"handclasp --state {terminal.state} client show ",
        "COMP_CWORD": "5",
    }
    outcome = terminal.process("", environ=environ)
    assert (outcome.out.strip(), outcome.err) == ("", "")
