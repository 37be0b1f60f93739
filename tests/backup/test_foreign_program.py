"""A second opinion: the program `age` opens a backup with nothing but the passphrase, and tar reads what is in it."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

PASSPHRASE = "correct horse battery staple"


@pytest.mark.skipif(shutil.which("age") is None, reason="there is no age here: install Debian's package age")
def test_age_opens_it(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, tmp_path / "state")
    assert terminal.init().code == 0
    terminal.add("acme")
    secret = tmp_path / "backup.pass"
    secret.write_text(f"{PASSPHRASE}\n")
    secret.chmod(0o600)
    assert terminal("backup everything.age --passphrase-file backup.pass").code == 0
    assert _age(tmp_path, "age --decrypt --output everything.tar everything.age") == 0
    listed = subprocess.run(["tar", "-tf", "everything.tar"], cwd=tmp_path, capture_output=True, text=True, check=True)
    names = listed.stdout.splitlines()
    assert {"manifest.json", "registry.jsonl", "truststore.pem"} <= set(names)
    assert any(name.startswith("keys/root-") for name in names)


def _age(folder: Path, line: str) -> int:
    """age asks for the passphrase on a terminal, and only there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvp("age", line.split())  # noqa: S606 - a program, no shell
    asked = b""
    while b"passphrase" not in asked.lower():
        asked += os.read(terminal, 1_000)
    os.write(terminal, f"{PASSPHRASE}\n".encode())
    try:
        while os.read(terminal, 1_000):
            pass
    except OSError:  # it has closed its end
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
