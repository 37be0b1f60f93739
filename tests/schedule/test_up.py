"""`up` as it is started: within a minute it does what is due, and with --no-schedule it does not."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.cli.terminal import Terminal
from tests.gateway.deployment import free_port, until
from tests.gateway.service import Service


@contextmanager
def up(terminal: Terminal, *options: str) -> Iterator[None]:
    ready = terminal.folder / "ready"
    with Service() as service:
        words, environ = terminal.command(
            f"up --upstream {service.url} --listen 127.0.0.1:{free_port()} --ready-file {ready}", *options
        )
        process = subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: ready.exists() or process.poll() is not None, "serves", 60)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            _, err = process.communicate(timeout=30)
            assert process.returncode == 0, err
            assert time.monotonic() - begun < 10


@pytest.mark.slow
@pytest.mark.parametrize(("options", "certificates"), [((), 2), (("--no-schedule",), 1)])
def test_who_is_due_is_rotated_within_a_minute_unless_a_timer_does_it(
    terminal: Terminal, options: tuple[str, ...], certificates: int
) -> None:
    assert terminal.add("acme").code == 0
    with closing(sqlite3.connect(terminal.state / "registry.db")) as connection, connection:
        connection.execute("UPDATE certificate SET not_before = not_before - 300 * 86400 WHERE client_id = 'acme'")

    def held() -> int:
        return len(terminal("client show acme --json").json["certificates"])

    deadline = time.monotonic() + 75
    with up(terminal, *options):
        until(lambda: held() == 2 or time.monotonic() > deadline, "a tick", 80)
        assert held() == certificates
