"""Kill -9 at the first, second, third ... durable step of a command: the next command works, and nothing is lost."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

from handclasp.pki.keys import open_sealed, spki
from handclasp.pki.pem import load_certificate
from tests.cli.terminal import PASSPHRASE, Terminal
from tests.forking import in_child


def _killed_everywhere(terminal: Terminal, line: str, prepare: Callable[[], object]) -> int:
    """Check the state after each kill, and the next run; how many steps the command has."""
    steps = 0
    while True:
        prepare()
        status = in_child(partial(_run_until, steps, terminal, line))
        assert status in {0, -9}
        _check_files(terminal)
        assert terminal(line).code == 0 or status == 0
        assert terminal("ca verify").code == 0
        assert terminal("audit verify").code == 0
        if status == 0:
            return steps
        steps += 1


def _run_until(step: int, terminal: Terminal, line: str) -> None:
    """SIGKILL in the place of fsync number `step`."""
    real, count = os.fsync, iter(range(1000))

    def fsync(descriptor: int) -> None:
        if next(count) == step:
            os.kill(os.getpid(), 9)
        real(descriptor)

    with patch("os.fsync", fsync):
        assert terminal(line).code == 0


def _check_files(terminal: Terminal) -> None:
    """Nothing is open to others, and a key that is there belongs to the certificate beside it."""
    for folder in (terminal.state, terminal.folder / "out"):
        for path in folder.rglob("*"):
            assert path.is_symlink() or path.stat().st_mode & 0o077 == 0, path
    for folder in (terminal.state / "clients/acme", terminal.folder / "out"):
        _check_pair(folder)


def _check_pair(folder: Path) -> None:
    key, certificate = folder / "client.key", folder / "client.pem"
    if key.exists() and certificate.exists():
        public = load_certificate(certificate.read_bytes()).public_key()
        assert spki(open_sealed(key.read_bytes()).public_key()) == spki(public)


def test_a_killed_init_is_taken_up_by_the_next(terminal: Terminal) -> None:
    terminal.write("root.pass", f"{PASSPHRASE}\n")
    steps = _killed_everywhere(
        terminal,
        "init --root-passphrase-file root.pass",
        lambda: shutil.rmtree(terminal.state, ignore_errors=True),
    )
    assert steps > 5
    assert [row[1] for row in terminal("ca list").rows] == ["root", "intermediate"]


def test_a_killed_enrolment_is_taken_up_by_the_next(established: Terminal, made_state: Path) -> None:
    def fresh() -> None:
        shutil.rmtree(established.folder / "out", ignore_errors=True)
        shutil.rmtree(established.state)
        shutil.copytree(made_state, established.state)

    line = "client add acme --environment prod --application nextjs --out out"
    assert _killed_everywhere(established, line, fresh) > 10
    statuses = [c["status"] for c in established("client show acme --json").json["certificates"]]
    assert statuses.count("active") == 1


def test_a_killed_renewal_leaves_a_credential_that_fits(established: Terminal) -> None:
    established.add("acme", "--out", "out")
    assert _killed_everywhere(established, "client renew acme --out out", lambda: None) >= 10
