"""`handclasp init`: once, again, killed, and with what an operator has already."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import PASSPHRASE, Terminal, one_error_line


def test_the_second_init_changes_nothing_and_mends_the_trust_store(established: Terminal) -> None:
    (established.state / "truststore.pem").unlink()
    again = established("init --root-passphrase-file root.pass --json")
    assert again.code == 0
    assert again.json["changed"] is False
    assert (established.state / "truststore.pem").exists()
    assert established("ca verify").code == 0
    assert "already established, nothing changed" in established("init --root-passphrase-file root.pass").err


def test_an_init_with_another_passphrase_or_another_root_is_refused(established: Terminal, operators: Path) -> None:
    before = established.snapshot()
    established.write("other.pass", "something else\n")
    assert "did not open" in one_error_line(established("init --root-passphrase-file other.pass"), 1)
    other = established("init --root-passphrase-file root.pass --import-root", operators / "root.crt")
    assert "another authority" in one_error_line(other, 1)
    assert established.snapshot() == before


@pytest.mark.parametrize("content", ["", "\n", "\nsecond line\n", "x" * 1024])
def test_an_empty_or_endless_passphrase_is_refused(terminal: Terminal, content: str) -> None:
    terminal.write("root.pass", content)
    one_error_line(terminal("init --root-passphrase-file root.pass"), 2)
    assert not terminal.state.exists()


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--root-passphrase-fd 97",
        "--root-passphrase-fd -1",
        "--root-passphrase-fd 99999999999999999999",
        "--root-passphrase-file missing",
        "--root-passphrase-file .",
        "--root-passphrase-file root.pass --root-passphrase-fd 0",
    ],
)
def test_without_a_passphrase_there_is_one_clear_error(terminal: Terminal, options: str) -> None:
    terminal.write("root.pass", "x\n")
    outcome = terminal.process(f"init {options}")
    assert "passphrase" in one_error_line(outcome, 2)
    assert not terminal.state.exists()


def test_the_passphrase_may_come_through_a_descriptor(terminal: Terminal) -> None:
    terminal.write("root.pass", f"{PASSPHRASE}\r\n")
    outcome = terminal.process("init --root-passphrase-fd 0", stdin=f"{PASSPHRASE}\n".encode())
    assert outcome.code == 0, outcome.err
    assert terminal("init --root-passphrase-file root.pass").code == 0


def test_on_a_terminal_it_is_asked_for_twice(terminal: Terminal) -> None:
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execve(sys.executable, *terminal.command("init"))  # noqa: S606 - in the child, on its terminal
    seen = b""
    for _ in range(2):
        while not seen.endswith(b": "):
            seen += os.read(descriptor, 1024)
        os.write(descriptor, PASSPHRASE.encode() + b"\n")
        seen += b"\n"
    while _more(descriptor):
        pass
    _, status = os.waitpid(pid, 0)
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(status) == 0
    assert PASSPHRASE.encode() not in seen
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    assert terminal("init --root-passphrase-file root.pass").code == 0


def _more(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except OSError:  # the other end is closed: Linux says EIO
        return b""


def test_the_how_to_preset_makes_its_sizes_and_lifetimes(terminal: Terminal) -> None:
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    made = terminal("init --preset how-to --root-algorithm rsa2048 --root-passphrase-file root.pass --json")
    assert made.code == 0, made.err
    assert "rsa2048" in (terminal.state / "handclasp.toml").read_text()
    algorithms = [terminal(f"ca show {i['issuer_id']} --json").json["key_algorithm"] for i in made.json["issuers"]]
    assert algorithms == ["RSA-2048", "RSA-3072"]  # an option given goes before the preset's 4,096 bits
    added = terminal("client add acme --environment prod --application NextJs --out acme --json").json
    assert added["certificate"]["subject"] == "CN=Prod-NextJs-Client"
    text = subprocess.run(
        ["openssl", "x509", "-in", terminal.folder / "acme/client.pem", "-noout", "-text"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert "(2048 bit)" in text
    assert added["certificate"]["not_after"][:4] == str(int(added["certificate"]["not_before"][:4]) + 1)


def test_the_preset_writes_no_settings_over_somebody_s_own(terminal: Terminal) -> None:
    terminal.state.mkdir()
    (terminal.state / "handclasp.toml").write_text("[authority]\nclient_days = 7\n")
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    line = "init --preset how-to --root-algorithm p256 --intermediate-algorithm p256 --root-passphrase-file root.pass"
    assert "is kept as it is" in terminal(line).err
    assert "client_days = 7" in (terminal.state / "handclasp.toml").read_text()
    assert terminal.state.stat().st_mode & 0o777 == 0o700


def test_names_and_organization_are_signed_as_given(terminal: Terminal) -> None:
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    outcome = terminal(
        "init --root-passphrase-file root.pass --json --organization",
        'Acme, "Inc"=1',
        "--root-name",
        "Wurzel 🌱",
        "--intermediate-name",
        "Zwischen",
    )
    assert [issuer["subject"] for issuer in outcome.json["issuers"]] == [
        'CN=Wurzel 🌱,O=Acme\\, \\"Inc\\"=1',
        'CN=Zwischen,O=Acme\\, \\"Inc\\"=1',
    ]


def test_a_state_that_is_a_file_is_refused(terminal: Terminal) -> None:
    terminal.state.write_text("mine")
    terminal.write("root.pass", "x\n")
    assert "is not a folder" in one_error_line(terminal("init --root-passphrase-file root.pass"), 2)
    assert terminal.state.read_text() == "mine"
