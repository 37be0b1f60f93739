"""`handclasp up` is one process tree: it says when it serves, stops when it is told, and leaves nothing behind."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.callers import Closed
from tests.gateway.deployment import Deployment, handclasp, until
from tests.gateway.service import Service
from tests.gateway.terminal import Terminal, alive, children, listening_ports


@pytest.fixture
def up(deployment: Deployment, service: Service, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(deployment.state, *_arguments(deployment, service), folder=tmp_path / "terminal") as terminal:
        yield terminal.serves()


def _arguments(at: Deployment, service: Service) -> list[str]:
    return ["up", "--upstream", service.url, "--listen", at.settings.gateway.listen]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_on_a_signal_and_nothing_is_left(
    number: signal.Signals, up: Terminal, deployment: Deployment, tmp_path: Path
) -> None:
    envoy = up.envoy
    assert children(up.process.pid) == [envoy]

    assert up.stop(number) == 0

    assert not up.ready_file.exists()
    assert not alive(envoy)
    assert list((up.folder / "work").iterdir()) == []
    assert not (deployment.state / "gateway" / "status.json").exists()
    assert not (deployment.state / "gateway" / "envoy" / "admin.sock").exists()
    # The port is free again.
    socket.create_server(("127.0.0.1", deployment.port)).close()
    assert up.stdout == ""
    [line] = up.stderr.splitlines()
    assert line.startswith("serving https://127.0.0.1:")


def test_it_serves_what_the_registry_says_while_the_ready_file_is_there(up: Terminal, deployment: Deployment) -> None:
    caller = deployment.enrol("acme")
    deployment.let_in(caller)
    assert up.ready_file.exists()
    assert deployment.status(deployment.nobody) == 403


def test_it_can_be_started_again_and_keeps_its_server_certificate(
    deployment: Deployment, service: Service, tmp_path: Path
) -> None:
    kept = deployment.state / "gateway" / "server.pem"
    found = []
    for run in ("first", "second"):
        with Terminal(deployment.state, *_arguments(deployment, service), folder=tmp_path / run) as terminal:
            terminal.serves()
            found.append(kept.read_bytes())
            assert terminal.stop() == 0
    assert found[0] == found[1]


def test_a_second_one_on_the_same_state_says_so_and_the_first_goes_on(
    up: Terminal, deployment: Deployment, service: Service
) -> None:
    """Even with the same ready file, which is the first one's."""
    second = handclasp(deployment.state, *_arguments(deployment, service), "--ready-file", str(up.ready_file))
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"error: a gateway already runs on {deployment.state} (process {up.process.pid})",
        "hint: stop it first, or pass another --state",
    ]
    assert up.ready_file.exists()
    assert deployment.status(deployment.nobody) == 403
    assert up.process.poll() is None
    assert alive(up.envoy)


def test_a_ready_file_that_a_crash_left_behind_is_gone_before_it_serves(
    deployment: Deployment, service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "terminal"
    folder.mkdir()
    (folder / "ready").write_text("stale")
    with Terminal(deployment.state, *_arguments(deployment, service), folder=folder) as terminal:
        until(lambda: not terminal.ready_file.exists() or terminal.ready_file.read_text() == "ready\n", "removed")
        terminal.serves()
        assert terminal.ready_file.read_text() == "ready\n"


def test_a_port_that_is_taken_is_one_line(deployment: Deployment, service: Service) -> None:
    with socket.create_server(("127.0.0.1", deployment.port)):
        done = handclasp(deployment.state, *_arguments(deployment, service))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: cannot listen on 127.0.0.1:{deployment.port}: Address already in use",
        "hint: stop what listens there, or pass --listen",
    ]
    assert not (deployment.state / "gateway" / "status.json").exists()


def test_a_crash_of_envoy_is_said_and_mended_and_the_decisions_are_still_right(
    up: Terminal, deployment: Deployment
) -> None:
    good, bad = deployment.enrol("good"), deployment.enrol("bad")
    deployment.let_in(good, bad)
    crashed = up.envoy
    os.kill(crashed, signal.SIGKILL)
    # While it is down, who is revoked is revoked all the same.
    assert handclasp(deployment.state, "client", "revoke", "bad").returncode == 0

    def answers() -> bool:
        try:
            return up.envoy != crashed and deployment.status(good) == 200
        except (Closed, OSError):
            return False

    until(answers, "serves again")
    until(lambda: deployment.status(bad) == 403, "revoked", 1)
    assert deployment.status(deployment.nobody) == 403
    said = [line for line in up.stderr.splitlines() if "Envoy has stopped" in line]
    assert len(said) == 1
    assert "signal 9" in said[0]
    assert "starting it again in 0.2 s" in said[0]
    # And it still follows.
    deployment.let_in(deployment.enrol("later"))
    assert up.stop() == 0


def test_envoy_dies_with_a_parent_that_was_killed_and_the_next_one_serves(
    up: Terminal, deployment: Deployment, service: Service, tmp_path: Path
) -> None:
    envoy = up.envoy
    up.process.kill()
    up.process.wait(10)
    until(lambda: not alive(envoy), "Envoy is gone")
    with Terminal(deployment.state, *_arguments(deployment, service), folder=tmp_path / "next") as following:
        following.serves()
        assert deployment.status(deployment.nobody) == 403
        assert following.stop() == 0


def test_nothing_in_the_state_folder_is_open_to_others(up: Terminal, deployment: Deployment) -> None:
    deployment.let_in(deployment.enrol("acme"))
    up.stop()
    open_to_others = [
        path
        for path in (deployment.state, *deployment.state.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_the_admin_interface_is_a_private_socket_and_no_port(up: Terminal, deployment: Deployment) -> None:
    admin = deployment.state / "gateway" / "envoy" / "admin.sock"
    mode = admin.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600
    assert listening_ports(up.envoy) == {deployment.port}


def test_without_a_state_it_says_to_run_init(tmp_path: Path) -> None:
    done = handclasp(tmp_path / "none", "up", "--upstream", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: there is no authority in {tmp_path / 'none'}",
        "hint: run: handclasp init",
    ]
    assert not (tmp_path / "none").exists()


def test_without_a_service_to_guard_it_says_what_to_pass(deployment: Deployment) -> None:
    done = handclasp(deployment.state, "up")
    assert done.returncode == 2
    assert "no service to guard is named" in done.stderr
    assert "--upstream" in done.stderr


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (
            "echo 'envoy  version: abc/1.36.4/Clean/RELEASE/BoringSSL'",
            "is Envoy 1.36.4; the gateway needs 1.37.0 or newer",
        ),
        ("echo hello", "does not say which version of Envoy it is"),
        ("exit 3", "does not say which version of Envoy it is"),
    ],
)
def test_an_envoy_that_will_not_do_is_one_line(
    script: str, complaint: str, deployment: Deployment, service: Service, tmp_path: Path
) -> None:
    binary = tmp_path / "envoy"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o700)
    done = handclasp(deployment.state, *_arguments(deployment, service), HANDCLASP_GATEWAY_ENVOY=str(binary))
    assert done.returncode == 1
    assert f"error: {binary} {complaint}" in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_an_envoy_that_does_not_start_is_one_line(deployment: Deployment, service: Service, tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo x/1.40.0/y && exit\necho '[error] no luck' >&2\nexit 1\n"
    )
    binary.chmod(0o700)
    done = handclasp(deployment.state, *_arguments(deployment, service), HANDCLASP_GATEWAY_ENVOY=str(binary))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: Envoy did not start")


def test_an_envoy_that_is_not_there_is_said(deployment: Deployment, service: Service, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    done = handclasp(deployment.state, *_arguments(deployment, service), HANDCLASP_GATEWAY_ENVOY=missing)
    assert done.returncode == 1
    assert f"names {missing}, which is not a program here" in done.stderr
