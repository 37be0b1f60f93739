"""PostgreSQL tells of commits: by notification at once, by looking when that got lost, and for next to nothing."""

import time

import pytest

from handclasp.registry import postgresql_commits as commits
from handclasp.registry.postgresql import PostgresqlRegistry
from tests.postgresql import Server
from tests.registry import rows
from tests.registry.waiting import seconds_until


def test_a_commit_of_another_connection_is_told_within_a_tenth_of_a_second(
    postgres: PostgresqlRegistry, postgres_too: PostgresqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "POLL_EVERY_S", 3_600.0)  # only a notification can tell
    postgres_too.has_changed()
    took = []
    for name in ("acme", "beta", "gamma"):
        assert not postgres_too.has_changed()
        rows.note(postgres, name)
        took.append(seconds_until(postgres_too.has_changed))
    assert min(took) < 0.1, "a busy machine may be late once, and not each time"
    assert not postgres_too.has_changed()
    assert postgres.has_changed(), "our own commits count too"
    assert not postgres.has_changed(), "and the notification of them is no news"


def test_a_lost_notification_is_made_up_for_by_looking(
    postgres: PostgresqlRegistry, postgres_too: PostgresqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "POLL_EVERY_S", 0.2)
    postgres_too.has_changed()
    listening = postgres_too._commits._raw
    assert listening is not None
    listening.execute("UNLISTEN *")
    rows.note(postgres)
    seconds_until(postgres_too.has_changed)
    assert not postgres_too.has_changed()


def test_what_anybody_else_sends_on_the_channel_is_no_commit(
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    postgres.has_changed()
    postgresql.run("NOTIFY handclasp, 'hello'; NOTIFY handclasp; NOTIFY handclasp, '-1'", postgresql_url)
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert not postgres.has_changed()
        time.sleep(0.01)


def test_asking_whether_anything_changed_costs_no_question_to_the_server(postgres: PostgresqlRegistry) -> None:
    postgres.has_changed()
    begun = time.process_time()
    for _ in range(1_000):
        postgres.has_changed()
    assert time.process_time() - begun < 0.2, "a hundredth of a core at fifty times a second"
