"""`handclasp up --demo`: from nothing to a proof in one command, and again from what is there."""

import re
import signal
import sqlite3
from pathlib import Path

from tests.gateway.deployment import free_port, handclasp, until
from tests.gateway.terminal import Terminal, alive


def _demo(state: Path, *more: str) -> tuple[int, str, str]:
    done = handclasp(state, "up", "--demo", "--once", "--listen", f"127.0.0.1:{free_port()}", *more)
    return done.returncode, done.stdout, done.stderr


def _roots(state: Path) -> list[str]:
    connection = sqlite3.connect(state / "registry.db")
    try:
        return [row[0] for row in connection.execute("SELECT fingerprint FROM issuer WHERE kind = 'root'")]
    finally:
        connection.close()


def test_it_proves_itself_and_reuses_its_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    code, table, said = _demo(state)
    assert code == 0, said
    assert "valid" in table + said
    assert "for this demo only" in said
    passphrase = state / "demo-root-passphrase"
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.read_text().strip()) >= 20
    roots, kept = _roots(state), passphrase.read_bytes()

    code, _, said = _demo(state)
    assert code == 0, said
    assert "established" not in said
    assert (_roots(state), passphrase.read_bytes()) == (roots, kept)


def test_it_serves_on_after_the_tests_and_shows_the_line_to_try(tmp_path: Path) -> None:
    state = tmp_path / "state"
    port = free_port()
    with Terminal(state, "up", "--demo", "--listen", f"127.0.0.1:{port}", folder=tmp_path / "terminal") as demo:
        demo.serves()
        until(lambda: "until Ctrl-C" in demo.stderr, "the tests are over", 40)
        [line] = re.findall(r"^curl .*$", demo.stdout, re.MULTILINE)
        assert f"localhost:{port}" in line
        envoy = demo.envoy
        assert demo.stop(signal.SIGINT) == 0
    assert not alive(envoy)
    assert "Fatal" not in demo.stderr


def test_it_can_be_stopped_in_the_middle_of_its_tests(tmp_path: Path) -> None:
    state = tmp_path / "state"
    arguments = ("up", "--demo", "--listen", f"127.0.0.1:{free_port()}")
    with Terminal(state, *arguments, folder=tmp_path / "terminal") as demo:
        envoy = demo.serves().envoy
        assert demo.stop(signal.SIGTERM) == 0
    assert not alive(envoy)
    assert "error" not in demo.stderr
    assert "Fatal" not in demo.stderr


def test_once_goes_with_demo_only(tmp_path: Path) -> None:
    done = handclasp(tmp_path / "state", "up", "--once", "--upstream", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "--once goes with --demo" in done.stderr
