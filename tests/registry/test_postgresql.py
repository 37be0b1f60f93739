"""What is PostgreSQL's own: its server's comings and goings, other connections, limits, migrations."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import get_context

import psycopg
import pytest

from handclasp.errors import RegistryBusy, RegistryError, RegistryUnavailable
from handclasp.registry import postgresql as adapter
from handclasp.registry import postgresql_commits as commits
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.postgresql_schema import MIGRATIONS
from handclasp.registry.records import ClientStatus
from tests.forking import in_child
from tests.postgresql import Server
from tests.registry import rows

#: The test ends by its assertion, not by waiting this long.
PATIENCE_S = 20.0


@pytest.fixture
def registry(postgresql_url: str) -> Iterator[PostgresqlRegistry]:
    with closing(PostgresqlRegistry(postgresql_url)) as made:
        yield made


@pytest.fixture
def other(postgresql_url: str) -> Iterator[PostgresqlRegistry]:
    """A second one on the database of `registry`."""
    with closing(PostgresqlRegistry(postgresql_url)) as made:
        yield made


@pytest.fixture(scope="module")
def own_server(start_postgresql: Callable[[], Server]) -> Server:
    """A server that tests may stop."""
    return start_postgresql()


def _seconds_until(condition: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.002)
    return time.monotonic() - begun


# Other connections


def test_two_writers_take_turns(registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str) -> None:
    def write() -> None:
        with closing(PostgresqlRegistry(postgresql_url)) as theirs:
            rows.note(theirs, "second")

    def somebody_waits() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        return bool(postgresql.run(waiting, postgresql_url))

    second = threading.Thread(target=write)
    with registry.change() as change:
        second.start()
        _seconds_until(somebody_waits)
        change.record(at=1, actor="a", action="b", subject="first", details="{}")
    second.join(PATIENCE_S)
    assert [entry.subject for entry in registry.audit()] == ["first", "second"]
    assert broken_at(registry.audit()) is None


def test_a_writer_that_waited_too_long_says_what_is_in_the_way(
    registry: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "BUSY_TIMEOUT_S", 0.05)
    with closing(PostgresqlRegistry(postgresql_url)) as impatient:
        with registry.change(), pytest.raises(RegistryBusy, match="was held by another writer") as busy:
            rows.note(impatient)
        assert busy.value.hint is not None
        rows.note(impatient)


def test_a_writer_that_stopped_in_the_middle_keeps_the_others_out_no_longer_than_they_wait(
    registry: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.fill(registry, "acme")
    monkeypatch.setattr(adapter, "BUSY_TIMEOUT_S", 0.1)
    with closing(PostgresqlRegistry(postgresql_url)) as stopped:
        with pytest.raises(RegistryUnavailable), stopped.change() as change:  # noqa: PT012 - the block is the transaction
            change.set_client_status("acme", ClientStatus.REVOKED)
            rows.note(registry)  # waits until the server has ended the other's transaction
            change.record(at=1, actor="a", action="b", subject="late", details="{}")
        assert registry.client("acme").status is ClientStatus.ACTIVE
        assert [entry.subject for entry in stopped.audit()] == ["acme"]


def test_a_commit_of_another_connection_is_told_within_a_tenth_of_a_second(
    registry: PostgresqlRegistry, other: PostgresqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "POLL_EVERY_S", 3_600.0)  # only a notification can tell
    other.has_changed()
    for name in ("acme", "beta", "gamma"):
        assert not other.has_changed()
        rows.note(registry, name)
        assert _seconds_until(other.has_changed) < 0.1
    assert not other.has_changed()
    assert registry.has_changed(), "our own commits count too"
    assert not registry.has_changed(), "and the notification of them is no news"


def test_a_lost_notification_is_made_up_for_by_looking(
    registry: PostgresqlRegistry, other: PostgresqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "POLL_EVERY_S", 0.2)
    other.has_changed()
    listening = other._commits._raw
    assert listening is not None
    listening.execute("UNLISTEN *")
    rows.note(registry)
    assert _seconds_until(other.has_changed) < 1.0
    assert not other.has_changed()


def test_what_anybody_else_sends_on_the_channel_is_no_commit(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    registry.has_changed()
    postgresql.run("NOTIFY handclasp, 'hello'; NOTIFY handclasp; NOTIFY handclasp, '-1'", postgresql_url)
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert not registry.has_changed()
        time.sleep(0.01)


def test_asking_whether_anything_changed_costs_no_question_to_the_server(registry: PostgresqlRegistry) -> None:
    registry.has_changed()
    begun = time.process_time()
    for _ in range(1_000):
        registry.has_changed()
    assert time.process_time() - begun < 0.2, "a hundredth of a core at fifty times a second"


def test_a_long_list_stays_with_the_server_until_it_is_read(
    registry: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_PAGE", 10)
    rows.fill(registry, *(f"client-{n:03}" for n in range(200)))
    held = "SELECT count(*) FROM pg_cursors WHERE is_holdable"
    standings = registry.standings()
    next(standings)
    rows.note(registry)
    assert registry._execute(held).fetchone() == (1,)
    assert len(list(standings)) == 199
    assert registry._execute(held).fetchone() == (0,)
    abandoned = registry.standings()
    next(abandoned)
    del abandoned
    assert registry._execute(held).fetchone() == (0,)


def _write_some(arguments: tuple[str, int]) -> int:
    url, number = arguments
    with closing(PostgresqlRegistry(url)) as registry:
        for each in range(5):
            with registry.change() as change:
                change.add_client(rows.client(f"client-{number}-{each}"))
                change.record(at=1, actor=str(number), action="b", subject=str(each), details="{}")
    return number


def test_processes_that_open_a_new_registry_at_once_all_write_what_they_have(postgresql: Server) -> None:
    url = postgresql.create(template="template0")
    with get_context("forkserver").Pool(8) as pool:
        assert sorted(pool.map(_write_some, [(url, n) for n in range(16)], chunksize=1)) == list(range(16))
    with closing(PostgresqlRegistry(url)) as registry:
        assert registry.revision() == 80
        assert len(list(registry.summaries())) == 80
        assert broken_at(registry.audit()) is None
    postgresql.drop(url)


def test_fifty_that_enrol_at_once_lose_nothing(registry: PostgresqlRegistry, postgresql_url: str) -> None:
    rows.fill(registry)
    ready = threading.Barrier(50)
    failed: list[BaseException] = []

    def enrol(number: int) -> None:
        try:
            with closing(PostgresqlRegistry(postgresql_url)) as mine:
                ready.wait(PATIENCE_S)
                with mine.change() as change:
                    change.add_client(rows.client(f"client-{number}"))
                    change.add_certificate(rows.certificate(number, f"client-{number}"))
                    change.record(at=1, actor="a", action="client.enrol", subject=str(number), details="{}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(1, 51)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert not failed
    assert registry.revision() == 51
    assert len(registry.holdings()) == 50
    assert sorted(int(entry.subject) for entry in registry.audit()) == list(range(1, 51))
    assert broken_at(registry.audit()) is None


# The server comes and goes


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
        assert _seconds_until(lambda: _is_unavailable(follower)) < 0.1
        assert _is_unavailable(follower), "and stays so"
        own_server.start()
        rows.note(registry)
        assert registry.client("acme") == rows.client()

        assert _seconds_until(lambda: not _is_unavailable(follower)) < 1.0
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
        _seconds_until(lambda: not registry.has_changed())
    own_server.drop(url)


def test_a_change_whose_connection_breaks_is_not_made_and_the_next_one_is(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    rows.fill(registry, "acme")
    with pytest.raises(RegistryUnavailable), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        assert postgresql.cut_connections(postgresql_url) == 1
        change.record(at=1, actor="a", action="b", subject="c", details="{}")
    assert registry.client("acme").status is ClientStatus.ACTIVE
    assert list(registry.audit()) == []
    rows.note(registry)


def test_a_caller_that_overlooks_a_broken_connection_does_not_commit_the_rest(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    rows.fill(registry, "acme")
    with pytest.raises(RegistryUnavailable, match="in the middle of a change"), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        postgresql.cut_connections(postgresql_url)
        with pytest.raises(RegistryUnavailable):
            change.client("acme")
        with pytest.raises(RegistryUnavailable):
            change.client("acme")
    assert registry.client("acme").status is ClientStatus.ACTIVE


def test_a_caller_that_overlooks_a_refusal_commits_nothing(registry: PostgresqlRegistry) -> None:
    """After an error PostgreSQL takes COMMIT for ROLLBACK without a word."""
    rows.fill(registry, "acme")
    with pytest.raises(RegistryError, match="none of it was made"), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.set_client_status("acme", ClientStatus.REVOKED)
        with pytest.raises(psycopg.Error):
            change.add_client(rows.client("acme"))
    assert registry.client("acme").status is ClientStatus.ACTIVE
    rows.note(registry)


def test_a_connection_that_breaks_while_committing_says_that_nobody_knows(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str
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
        rows.note(registry)
    assert unknown.value.hint == "look at what is registered before you repeat it"
    assert list(registry.audit()) == []


class Stopped(BaseException):
    """What a signal's handler raises."""


def test_an_interrupted_query_leaves_a_registry_that_works(registry: PostgresqlRegistry) -> None:
    def interrupt(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Stopped), registry.change() as change:  # noqa: PT012 - the block is the transaction
            change.add_client(rows.client())
            registry._execute("SELECT pg_sleep(30)")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert list(registry.summaries()) == []
    rows.note(registry)


@pytest.mark.parametrize("many", [1, 2_000])
def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_the_state_before_it(
    registry: PostgresqlRegistry, postgresql_url: str, many: int
) -> None:
    rows.fill(registry, "acme")

    def die() -> None:
        theirs = PostgresqlRegistry(postgresql_url)
        with theirs.change() as change:
            change.set_client_status("acme", ClientStatus.REVOKED)
            for number in range(many):
                change.record(at=1, actor="a", action="b", subject=str(number), details="{}")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    assert registry.client("acme").status is ClientStatus.ACTIVE
    assert list(registry.audit()) == []
    assert registry.revision() == 1
    rows.note(registry)


# What it asks of the server


def test_commits_reach_the_disk_whatever_the_server_does_by_default(postgresql_url: str) -> None:
    for asked, got in (("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")):
        with closing(PostgresqlRegistry(f"{postgresql_url}?options=-csynchronous_commit%3D{asked}")) as registry:
            assert registry._execute("SHOW synchronous_commit").fetchone() == (got,)


def test_a_server_that_is_gone_is_noticed_and_the_url_may_say_when(postgresql_url: str) -> None:
    with closing(PostgresqlRegistry(f"{postgresql_url}?keepalives_idle=77")) as registry:
        given = registry._connection.use(lambda raw: raw.info.get_parameters())
    assert (given["keepalives_idle"], given["keepalives_interval"]) == ("77", "5")
    assert (given["connect_timeout"], given["tcp_user_timeout"]) == ("10", "20000")
    assert given["application_name"] == "handclasp"


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
@pytest.mark.parametrize("after", ["written", "replaced"])
def test_the_audit_trail_can_only_grow(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str, statement: str, after: str
) -> None:
    rows.note(registry)
    if after == "replaced":
        registry.replace(lambda old: old)
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        postgresql.run(statement, postgresql_url)
    assert len(list(registry.audit())) == 1


def test_a_user_who_may_not_write_is_told_so(postgresql: Server, postgresql_url: str) -> None:
    postgresql.run(
        "CREATE ROLE reader LOGIN PASSWORD 'p'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", postgresql_url
    )
    with closing(
        PostgresqlRegistry(postgresql_url.replace("handclasp:", "reader:", 1).replace(_password(postgresql_url), "p"))
    ) as registry:
        assert registry.revision() == 0
        with pytest.raises(RegistryError, match="cannot be used: permission denied for table"):
            rows.fill(registry, "acme")
    postgresql.run("DROP OWNED BY reader; DROP ROLE reader", postgresql_url)


def _password(url: str) -> str:
    return url.partition("handclasp:")[2].partition("@")[0]


# Migrations


def test_a_registry_of_a_newer_version_is_refused(
    registry: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    postgresql.run("UPDATE handclasp_schema SET value = value + 1", postgresql_url)
    with pytest.raises(RegistryError, match=rf"has schema {len(MIGRATIONS) + 1}, this version knows") as refused:
        PostgresqlRegistry(postgresql_url)
    assert refused.value.hint == "upgrade Handclasp"


def test_a_migration_that_fails_leaves_the_schema_before_it(
    registry: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.fill(registry, "acme")
    bad = "CREATE TABLE extra (x INTEGER); INSERT INTO extra VALUES (1); INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "MIGRATIONS", (*MIGRATIONS, bad))
        with pytest.raises(RegistryError, match='relation "nowhere" does not exist'):
            PostgresqlRegistry(postgresql_url)
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (x INTEGER);"))
        with closing(PostgresqlRegistry(postgresql_url, create=False)) as upgraded:
            assert upgraded.client("acme") == rows.client()
            assert upgraded._execute("SELECT count(*) FROM extra").fetchone() == (0,)


def test_a_database_that_is_somebody_elses_is_left_alone(postgresql: Server) -> None:
    url = postgresql.create(template="template0")
    postgresql.run("CREATE TABLE client (x INTEGER)", url)
    with pytest.raises(RegistryError, match='relation "client" already exists'):
        PostgresqlRegistry(url)
    assert postgresql.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url) == [(1,)]
    postgresql.drop(url)
