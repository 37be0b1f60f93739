"""The edges of the process: what is imported, what is printed where, and how it ends."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from handclasp.cli.boundary import guarded, report
from handclasp.cli.output import cell, one_line
from handclasp.errors import InvalidInput, RegistryBusy
from tests.cli.terminal import Terminal, one_error_line

_HEAVY = ("cryptography", "rich", "httpx", "asyncio", "importlib.metadata", "handclasp.authority.", "handclasp.pki")
#: Pure arithmetic, whatever folder it is in.
_LIGHT = ("handclasp.authority.rotation", "handclasp.authority.rotation.due")


@pytest.mark.parametrize("line", ["--help", "client --help", "client list", "audit list", "--version"])
def test_fast_commands_import_nothing_heavy(established: Terminal, line: str) -> None:
    outcome = established.process(line, environ={"PYTHONPROFILEIMPORTTIME": "1"})
    assert outcome.code == 0, outcome.err
    imported = {found.rpartition("|")[2].strip() for found in outcome.err.splitlines()}
    assert not [name for name in imported if name.startswith(_HEAVY) and name not in _LIGHT]


def test_a_pipe_whose_reader_has_gone_is_no_error(established: Terminal) -> None:
    command, environ = established.command("--help")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, env=environ, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(established: Terminal, unbuffered: str) -> None:
    command, environ = established.command("ca list")
    environ["PYTHONUNBUFFERED"] = unbuffered
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=environ, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: No space left on device")
    assert done.stderr.count(b"\n") == 1


def test_closed_standard_streams_are_survived(established: Terminal) -> None:
    command, environ = established.command("ca list")
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "-", *command], env=environ, check=False)
    assert done.returncode == 0


def test_an_interrupt_ends_with_130(terminal: Terminal) -> None:
    read, write = os.pipe()
    command, environ = terminal.command(f"init --root-passphrase-fd {read}")
    process = subprocess.Popen(command, env=environ, pass_fds=[read], stderr=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    os.close(read)
    os.close(write)
    assert process.returncode == 130
    assert err.strip() == b"error: interrupted"


def test_what_was_not_foreseen_is_one_line_too_and_the_traceback_is_for_those_who_ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> int:
        raise ZeroDivisionError("a\nb")

    assert guarded(run) == 1
    assert capsys.readouterr().err.splitlines()[0] == "error: internal error: ZeroDivisionError: a\\nb"
    monkeypatch.setenv("HANDCLASP_DEBUG", "1")
    guarded(run)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InvalidInput("a\x1b[31mb", hint="c\rd"), 2, "error: a\\x1b[31mb\nhint: c\\rd\n"),
        (RegistryBusy("held"), 1, "error: held\n"),
        (click.UsageError("one of:\n\ta,\n\tb"), 2, "error: one of: a, b\n"),
        (click.FileError("x", "gone"), 1, "error: Could not open file 'x': gone\n"),
        (PermissionError(13, "Permission denied", "f"), 1, "error: f: Permission denied\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_each_error_has_its_words_and_its_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error) == code
    assert capsys.readouterr().err == said


def test_hostile_text_cannot_leave_its_line() -> None:
    assert one_line("a\nb\t\x1b[2J\u202e\udcff é 🌱") == "a\\nb\\t\\x1b[2J\\u202e\\udcff é 🌱"
    assert (cell(None), cell(3)) == ("-", "3")


def test_a_misspelt_command_or_option_is_one_line_with_a_suggestion(terminal: Terminal) -> None:
    assert "did you mean client?" in one_error_line(terminal("clinet list"), 2)
    assert "--environment" in one_error_line(terminal("client list --enviroment prod"), 2)
    one_error_line(terminal("client show 'a\nb\x1b[2J'"), 2)


def test_lists_are_tables_on_a_terminal_and_colour_can_be_refused(established: Terminal) -> None:
    established.add("acme")
    coloured, plain = (_on_a_terminal(established, colour) for colour in ({}, {"NO_COLOR": "1"}))
    assert "name" in plain
    assert "acme" in plain
    assert "\x1b[" in coloured
    assert "\x1b[3" not in plain


def _on_a_terminal(terminal: Terminal, environ: dict[str, str]) -> str:
    command, variables = terminal.command("client list")
    main, other = pty.openpty()
    variables = {**variables, "TERM": "xterm-256color", "COLUMNS": "120", **environ}
    subprocess.run(command, env=variables, stdout=other, stdin=subprocess.DEVNULL, check=True, timeout=30)
    os.close(other)
    seen = os.read(main, 65_536).decode()
    os.close(main)
    return seen


def test_python_m_is_the_same_program(terminal: Terminal) -> None:
    assert terminal.process("--version").out == terminal("--version").out
    assert sys.executable
