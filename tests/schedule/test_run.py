"""`schedule run`: what a timer calls. Exit 0 when every part was done, 1 when one was not."""

import json
import sqlite3
from contextlib import closing

import pytest

from handclasp.authority.operations import retry
from tests.cli.terminal import Terminal


def events(terminal: Terminal, code: int = 0) -> dict[str, dict[str, object]]:
    outcome = terminal("schedule run --json")
    assert outcome.code == code, outcome.err
    return {event["part"]: event for event in map(json.loads, outcome.out.splitlines())}


def enrol_long_ago(terminal: Terminal) -> None:
    """A client whose certificate is due: the registry has it as begun two months before it was."""
    assert terminal.add("acme").code == 0
    with closing(sqlite3.connect(terminal.state / "registry.db")) as connection, connection:
        connection.execute("UPDATE certificate SET not_before = not_before - 300 * 86400")


def test_each_part_tells_what_it_did(terminal: Terminal) -> None:
    found = events(terminal)
    assert list(found) == ["operations", "clients", "superseding", "watch", "audit"]
    assert all(event["error"] is None for event in found.values())


def test_with_nothing_to_do_it_says_nothing(terminal: Terminal) -> None:
    outcome = terminal("schedule run")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_what_is_due_is_done(terminal: Terminal) -> None:
    enrol_long_ago(terminal)
    assert "is done" in str(events(terminal)["clients"]["done"])
    assert len(terminal("client show acme --json").json["certificates"]) == 2


def test_a_part_that_fails_is_exit_1_and_the_others_are_done(terminal: Terminal) -> None:
    terminal.write("state/handclasp.toml", '[watch]\nthresholds = ["89d"]\nwebhook = "http://127.0.0.1:9/s3cret"\n')
    (terminal.state / "crl").mkdir()
    terminal.write("state/crl/broken.crl", "no CRL")
    found = events(terminal, code=1)
    assert "cannot be reached" in str(found["watch"]["error"])
    assert "s3cret" not in str(found)
    assert found["audit"]["error"] is None


def test_a_delivery_that_fails_is_retried_in_this_run_and_given_up_and_told_of(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_FIRST_PAUSE_SECONDS", 0)
    enrol_long_ago(terminal)
    clients = terminal.state / "clients"
    clients.rename(terminal.state / "elsewhere")
    clients.write_text("a file where a folder should be")
    outcome = terminal("schedule run")
    assert outcome.code == 1
    assert "is given up" in outcome.err
    [failed] = terminal("operation list --failed --json").json
    assert failed["attempts"] == 4
    assert f"operation {failed['operation']} (rotate-clients) failed in its step" in outcome.err
    # Mended and resumed by a person, it is done, and the next run finds nothing wrong.
    clients.unlink()
    (terminal.state / "elsewhere").rename(clients)
    assert terminal(f"operation resume {failed['operation']}").code == 0
    assert terminal("schedule run").code == 0


def test_show_tells_how_often_and_what_failed(terminal: Terminal) -> None:
    shown = terminal("schedule show --json").json
    assert (shown["rate"], shown["flexible_window"], shown["retries"], shown["maximum_age"]) == ("1d", "15m", 3, "1h")
    assert shown["failed"] == shown["unfinished"] == []
    assert "maximum age" in terminal("schedule show").out
