"""The server comes and goes, and connections break: what was committed stays, and the next use connects anew."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from handclasp.errors import RegistryError, RegistryUnavailable
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.records import ClientStatus
from tests.forking import in_child
from tests.postgresql import Server
from tests.registry import rows
from tests.registry.waiting import seconds_until


@pytest.fixture(scope="module")
def own_server(start_postgresql: Callable[[], Server]) -> Server:
    """A server that tests may stop."""
    return start_postgresql()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_stopped_and_started_is_said_and_then_used_again(own_server: Server, how: signal.Signals) -> None:
    url = own_server.create()
    with closing(PostgresqlRegistry(url)) as registry, closing(PostgresqlRegistry(url)) as follower:
        rows.fill(registry, "acme")
        follower.has_changed()
        own_server.stop(how)
        for use in (registry.revision, registry.now, lambda: list(registry.standings()), lambda: rows.note(registry)):
            with pytest.raises(RegistryUnavailable, match="does not answer") as refused:
                use()
            assert "127.0.0.1" in str(refused.value)
            assert url.rpartition("/")[2] in str(refused.value)
            assert refused.value.hint is not None
        seconds_until(lambda: _is_unavailable(follower))
        assert _is_unavailable(follower), "and stays so"
        own_server.start()
        rows.note(registry)
        assert registry.client("acme") == rows.client()

        seconds_until(lambda: not _is_unavailable(follower))
        assert len(list(follower.audit())) == 1
    own_server.drop(url)


def _is_unavailable(registry: PostgresqlRegistry) -> bool:
    try:
        registry.has_changed()
    except RegistryUnavailable:
        return True
    return False


def test_a_server_restarted_between_two_uses_is_not_even_noticed(own_server: Server) -> None:
    url = own_server.create()
    with closing(PostgresqlRegistry(url)) as registry:
        rows.fill(registry, "acme")
        registry.has_changed()
        own_server.stop()
        own_server.start()
        rows.note(registry)
        assert registry.revision() == 1
        assert registry.has_changed()
        seconds_until(lambda: not registry.has_changed())
    own_server.drop(url)


def test_a_change_whose_connection_breaks_is_not_made_and_the_next_one_is(
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    rows.fill(postgres, "acme")
    with pytest.raises(RegistryUnavailable), postgres.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        assert postgresql.cut_connections(postgresql_url) == 1
        change.record(at=1, actor="a", action="b", subject="c", details="{}")
    assert postgres.client("acme").status is ClientStatus.ACTIVE
    assert list(postgres.audit()) == []
    rows.note(postgres)


def test_a_caller_that_overlooks_a_broken_connection_does_not_commit_the_rest(
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    rows.fill(postgres, "acme")
    with pytest.raises(RegistryUnavailable, match="in the middle of a change"), postgres.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        postgresql.cut_connections(postgresql_url)
        with pytest.raises(RegistryUnavailable):
            change.client("acme")
        with pytest.raises(RegistryUnavailable):
            change.client("acme")
    assert postgres.client("acme").status is ClientStatus.ACTIVE


def test_a_caller_that_overlooks_a_refusal_commits_nothing(postgres: PostgresqlRegistry) -> None:
    """After an error PostgreSQL takes COMMIT for ROLLBACK without a word."""
    rows.fill(postgres, "acme")
    with pytest.raises(RegistryError, match="none of it was made"), postgres.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        with pytest.raises(psycopg.Error):
            change.add_client(rows.client("acme"))
    assert postgres.client("acme").status is ClientStatus.ACTIVE
    rows.note(postgres)


def test_a_connection_that_breaks_while_committing_says_that_nobody_knows(
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    postgresql.run(
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION die();
        """,
        postgresql_url,
    )
    with pytest.raises(RegistryUnavailable, match="nobody knows whether it was made") as unknown:
        rows.note(postgres)
    assert unknown.value.hint == "look at what is registered before you repeat it"
    assert list(postgres.audit()) == []


class Stopped(BaseException):
    """What a signal's handler raises."""


def test_an_interrupted_query_leaves_a_registry_that_works(postgres: PostgresqlRegistry) -> None:
    def interrupt(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Stopped), postgres.change() as change:  # noqa: PT012 - the block is the transaction
            change.add_client(rows.client())
            postgres._execute("SELECT pg_sleep(30)")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    begun = time.monotonic()
    rows.note(postgres)
    assert time.monotonic() - begun < 10, "the server was told to stop, too, or it would hold the lock for 30 seconds"
    assert list(postgres.summaries()) == []


@pytest.mark.parametrize("many", [1, 2_000])
def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_the_state_before_it(
    postgres: PostgresqlRegistry, postgresql_url: str, many: int
) -> None:
    rows.fill(postgres, "acme")

    def die() -> None:
        theirs = PostgresqlRegistry(postgresql_url)
        with theirs.change() as change:
            change.set_client_status("acme", ClientStatus.REVOKED)
            for number in range(many):
                change.record(at=1, actor="a", action="b", subject=str(number), details="{}")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    assert postgres.client("acme").status is ClientStatus.ACTIVE
    assert list(postgres.audit()) == []
    assert postgres.revision() == 1
    rows.note(postgres)
