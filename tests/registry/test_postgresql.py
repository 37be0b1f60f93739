"""What is PostgreSQL's own: what it asks of the server, long lists, migrations."""

from contextlib import closing

import psycopg
import pytest

from handclasp.errors import RegistryError
from handclasp.registry import postgresql as adapter
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.postgresql_schema import MIGRATIONS
from tests.postgresql import Server
from tests.registry import rows


def test_a_long_list_stays_with_the_server_until_it_is_read(
    postgres: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_PAGE", 10)
    rows.fill(postgres, *(f"client-{n:03}" for n in range(200)))
    held = "SELECT count(*) FROM pg_cursors WHERE is_holdable"
    standings = postgres.standings()
    next(standings)
    rows.note(postgres)
    assert postgres._execute(held).fetchone() == (1,)
    assert len(list(standings)) == 199
    assert postgres._execute(held).fetchone() == (0,)
    abandoned = postgres.standings()
    next(abandoned)
    del abandoned
    assert postgres._execute(held).fetchone() == (0,)


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
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str, statement: str, after: str
) -> None:
    rows.note(postgres)
    if after == "replaced":
        postgres.replace(lambda old: old)
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        postgresql.run(statement, postgresql_url)
    assert len(list(postgres.audit())) == 1


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


def test_a_registry_of_a_newer_version_is_refused(
    postgres: PostgresqlRegistry, postgresql: Server, postgresql_url: str
) -> None:
    postgresql.run("UPDATE handclasp_schema SET value = value + 1", postgresql_url)
    with pytest.raises(RegistryError, match=rf"has schema {len(MIGRATIONS) + 1}, this version knows") as refused:
        PostgresqlRegistry(postgresql_url)
    assert refused.value.hint == "upgrade Handclasp"


def test_a_migration_that_fails_leaves_the_schema_before_it(
    postgres: PostgresqlRegistry, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.fill(postgres, "acme")
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
