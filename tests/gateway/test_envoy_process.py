"""The child process: found, checked, restarted with backoff, stopped, and never left behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from handclasp.errors import ExtraMissing, GatewayFailed
from handclasp.gateway.envoy import locate, process
from handclasp.gateway.envoy.locate import check_version, find_envoy
from handclasp.gateway.envoy.process import EnvoyProcess
from tests.gateway.deployment import until
from tests.gateway.terminal import alive


def _program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def _child(tmp_path: Path, script: str, said: list[str] | None = None) -> EnvoyProcess:
    binary = _program(tmp_path / "envoy", script)
    return EnvoyProcess(binary, tmp_path / "bootstrap.json", tmp_path / "envoy.log", (said or []).append)


def test_a_crash_is_said_once_and_each_restart_waits_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BACKOFF_SECONDS", (0.01, 0.02, 0.03))
    said: list[str] = []
    child = EnvoyProcess(_program(tmp_path / "envoy", "exit 7"), tmp_path / "b.json", tmp_path / "log", said.append)
    child.start()

    def crashed_five_times() -> bool:
        child.watch()
        return len(said) == 5

    until(crashed_five_times, "restarted")
    waits = [line.partition("again in ")[2].partition(" s")[0] for line in said]
    assert waits == ["0.01", "0.02", "0.03", "0.03", "0.03"]
    assert "exit code 7" in said[0]
    child.stop()


def test_a_crash_after_a_healthy_hour_starts_the_backoff_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(process, "HEALTHY_SECONDS", -1.0)
    said: list[str] = []
    child = EnvoyProcess(_program(tmp_path / "envoy", "exit 7"), tmp_path / "b.json", tmp_path / "log", said.append)
    child.start()

    def crashed_thrice() -> bool:
        child.watch()
        return len(said) == 3

    until(crashed_thrice, "restarted")
    assert all("again in 0.01 s" in line for line in said)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    child = _child(tmp_path, f"trap '' TERM; touch {tmp_path}/started; while true; do sleep 0.05; done")
    child.start()
    pid = child.pid
    assert pid is not None
    until((tmp_path / "started").exists, "started")
    child.stop()
    assert not alive(pid)
    child.stop()  # again: nothing to do


def test_it_runs_in_a_session_of_its_own_so_that_ctrl_c_reaches_us_alone(tmp_path: Path) -> None:
    child = _child(tmp_path, "exec sleep 60")
    child.start()
    pid = child.pid
    assert pid is not None
    assert os.getsid(pid) == pid
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    binary = _program(tmp_path / "envoy", "exec sleep 60")
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = EnvoyProcess(binary, tmp_path / "b.json", tmp_path / "log", print)
        child.start()
        os.write(writer, str(child.pid).encode())
        signal.pause()
    pid = int(os.read(reader, 20))
    assert alive(pid)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    until(lambda: not alive(pid), "the child is gone")
    os.close(reader)
    os.close(writer)


def test_a_program_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    with pytest.raises(GatewayFailed, match=r"cannot be started: No such file"):
        EnvoyProcess(tmp_path / "none", tmp_path / "b.json", tmp_path / "log", print).start()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (None, "it left no log"),
        ("", "it left no log"),
        ("one\ntwo\n", "two"),
        ("a\n[2026][critical] cannot bind\nb\n", "[2026][critical] cannot bind"),
    ],
)
def test_its_last_words_are_the_last_error_of_its_log(log: str | None, words: str, tmp_path: Path) -> None:
    child = _child(tmp_path, "exit 1")
    if log is not None:
        (tmp_path / "envoy.log").write_text(log)
    assert child.last_words() == words


def test_the_packaged_envoy_is_found_and_will_do() -> None:
    found = find_envoy(None)
    assert found.name == "envoy"
    assert tuple(int(part) for part in check_version(found).split(".")) >= locate.MINIMUM_VERSION


def test_without_the_package_the_one_on_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = _program(tmp_path / "envoy", "exit 0")
    monkeypatch.setattr(locate, "_packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_envoy(None) == binary


def test_without_any_envoy_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraMissing) as error:
        find_envoy(None)
    assert error.value.hint == "pip install 'handclasp[gateway]'"


def test_the_one_the_settings_name_comes_first(tmp_path: Path) -> None:
    binary = _program(tmp_path / "mine", "exit 0")
    assert find_envoy(str(binary)) == binary


def test_a_program_that_is_none_is_said(tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_bytes(b"\x7fELF garbage")
    binary.chmod(0o700)
    with pytest.raises(GatewayFailed, match="cannot be run"):
        check_version(binary)
