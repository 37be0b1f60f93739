"""`handclasp watch`, as it is typed: what it prints, what it remembers, how it exits and how it is stopped."""

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, one_error_line
from tests.gateway.deployment import until
from tests.notice.conftest import Receiver


@pytest.fixture
def watched(terminal: Terminal, receiver: Receiver) -> Terminal:
    """Two clients, one of which ends within a week by what the registry says, and a webhook."""
    terminal.add("acme")
    terminal.add("beta")
    with closing(sqlite3.connect(terminal.state / "registry.db")) as connection, connection:
        connection.execute(
            "UPDATE certificate SET not_after = not_after - 85 * 86400, not_before = 0 WHERE client_id = 'acme'"
        )
    terminal.write("state/handclasp.toml", f'[watch]\nwebhook = "{receiver.url}"\n')
    return terminal


def test_it_prints_what_ends_tells_the_webhook_and_remembers(watched: Terminal, receiver: Receiver) -> None:
    outcome = watched("watch --once")
    assert outcome.code == 0
    [line] = outcome.out.splitlines()
    assert line.startswith("client acme: certificate ")
    assert "ends in 4 days" in line
    assert outcome.err == "webhook: told of 1 notice\n"
    [(_, _, body)] = receiver.requests
    assert json.loads(body)["notices"][0]["threshold"] == "7d"
    again = watched("watch --once")
    assert (again.code, again.out, again.err) == (0, "", "")
    assert len(receiver.requests) == 1


def test_json_has_what_was_told_and_everything_that_is_watched(watched: Terminal) -> None:
    outcome = watched("watch --once --json")
    shown = outcome.json
    assert [(each["channel"], len(each["notices"])) for each in shown["told"]] == [("log", 1), ("webhook", 1)]
    assert [each["subject"] for each in shown["upcoming"]][:2] == ["acme", "beta"]
    assert {each["kind"] for each in shown["upcoming"]} == {"client-certificate", "issuer"}
    assert all(each["next_notice_at"] for each in shown["upcoming"])


def test_a_channel_that_fails_is_exit_1_and_is_told_the_next_time(watched: Terminal, receiver: Receiver) -> None:
    receiver.status = 503
    outcome = watched("watch --once")
    assert outcome.code == 1
    assert outcome.out.startswith("client acme")
    assert "error: webhook (127.0.0.1) answered 503; 1 notice will be sent again" in outcome.err
    assert "s3cret" not in outcome.err
    receiver.status = 200
    outcome = watched("watch --once")
    assert (outcome.code, outcome.out) == (0, "")
    assert len(receiver.requests) == 2


def test_a_test_notice_goes_through_every_channel_every_time(watched: Terminal, receiver: Receiver) -> None:
    for _ in range(2):
        outcome = watched("watch --test")
        assert outcome.code == 0
        assert outcome.out.startswith("this is a test")
    assert len(receiver.requests) == 2
    receiver.status = 404
    assert watched("watch --test --json").code == 1


def test_files_that_cannot_be_watched_are_told_of_once_for_each_thing_that_is_wrong(watched: Terminal) -> None:
    (watched.state / "crl").mkdir()
    (watched.state / "gateway").mkdir()
    watched.write("state/crl/root.crl", "no CRL")
    watched.write("state/gateway/server.pem", "no certificate")
    outcome = watched("watch --once")
    assert "root.crl cannot be watched" in outcome.out
    assert "server.pem cannot be watched" in outcome.out
    assert watched("watch --once").out == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("thresholds = ['soon']", "setting watch.thresholds"),
        ("webhook = 'http://hooks.example.com/s3cret'", "setting watch.webhook is an https:// URL"),
        ("smtp = 'smtp://me@relay.example.com'", "no password for me"),
        ("smtp_password_file = 'mail.pass'\nsmtp = 'smtp://me@relay.example.com'", "cannot be read"),
    ],
)
def test_settings_that_tell_nobody_are_one_line(terminal: Terminal, text: str, complaint: str) -> None:
    terminal.write("state/handclasp.toml", f"[watch]\n{text}\n")
    assert complaint in one_error_line(terminal("watch --once"), 2)


def test_without_an_authority_it_says_so(tmp_path: Path) -> None:
    nothing = Terminal(tmp_path, tmp_path / "none")
    assert "there is no authority" in one_error_line(nothing("watch --once"), 1)
    assert not nothing.state.exists()


def test_it_goes_on_until_it_is_told_to_stop(watched: Terminal, receiver: Receiver) -> None:
    words, environ = watched.command("watch")
    process = subprocess.Popen(
        words, cwd=watched.folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: bool(receiver.requests), "told", 30)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert out.startswith("client acme")


def test_two_at_once_send_nothing_twice(watched: Terminal, receiver: Receiver) -> None:
    words, environ = watched.command("watch --once")
    running = [
        subprocess.Popen(words, cwd=watched.folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(receiver.requests) == 1
