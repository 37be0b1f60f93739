"""A PostgreSQL URL is understood once, named to people, and its password never shown."""

import traceback

import pytest

from handclasp.errors import HandclaspError, InvalidInput, RegistryUnavailable
from handclasp.registry.postgresql import PostgresqlRegistry
from handclasp.registry.postgresql_address import address
from tests.postgresql import PASSWORD, Server

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u@db.example.org/handclasp", "registry handclasp on db.example.org"),
        ("postgres://u:p@db.example.org:5433/handclasp", "registry handclasp on db.example.org:5433"),
        ("postgresql://db.example.org:5432/handclasp", "registry handclasp on db.example.org"),
        ("postgresql://[2001:db8::1]/handclasp", "registry handclasp on 2001:db8::1"),
        ("postgresql://one,two:5433/handclasp", "registry handclasp on one,two:,5433"),
        ("postgresql:///handclasp?host=/run/postgresql", "registry handclasp on /run/postgresql"),
        ("postgresql:///handclasp", "registry handclasp on this host"),
        ("postgresql://u:p%40ss%2F@h/d", "registry d on h"),
    ],
)
def test_a_registry_is_named_by_database_and_host(url: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)
    assert str(address(url)) == place


def test_what_the_url_leaves_out_is_named_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    monkeypatch.setenv("PGDATABASE", "ours")
    assert str(address("postgresql://u@")) == "registry ours on db.example.org"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@{SECRET}@h/d",
        f"postgresql://u:{SECRET}/{SECRET}@h/d",
        f"postgresql://u:1/{SECRET}@h/d",
        f"postgresql://u:1/2?{SECRET}@h/d",
        f"postgresql://u:x@{SECRET}/{SECRET}@h/d",
        f"postgresql://u:%zz{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:{SECRET}/d",
        f"postgresql://u@h/d?password={SECRET}&nonsense={SECRET}",
        f"postgresql://u@h/d?passwort={SECRET}",
        f"postgresql://[{SECRET}/d",
    ],
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidInput, match="setting registry is no PostgreSQL URL") as refused:
        PostgresqlRegistry(url)
    assert refused.value.hint is not None
    assert "%40 for @" in refused.value.hint
    assert SECRET not in _everything(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@127.0.0.1:1/d",
        f"postgresql://127.0.0.1:1/d?user=u&password={SECRET}",
        f"postgresql://u:{SECRET}@no-such-host.invalid/d",
        f"postgresql://u:{SECRET}@%2Fnowhere/d",
    ],
)
def test_a_server_that_cannot_be_reached_is_said_without_the_password(url: str) -> None:
    with pytest.raises(RegistryUnavailable, match=r"registry d on .* does not answer") as refused:
        PostgresqlRegistry(url)
    assert SECRET not in _everything(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_password_is_said_without_it(postgresql: Server) -> None:
    url = f"postgresql://handclasp:{SECRET}@127.0.0.1:{postgresql.port}/postgres"
    with pytest.raises(RegistryUnavailable, match="password authentication failed") as refused:
        PostgresqlRegistry(url)
    assert SECRET not in _everything(refused.value)


def test_an_address_does_not_print_its_password(postgresql_url: str) -> None:
    known = address(postgresql_url)
    assert known.parameters["password"] == PASSWORD
    assert PASSWORD not in repr(known) + str(known)


def test_a_password_may_come_from_the_environment(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    without = "postgresql://handclasp@" + postgresql_url.rpartition("@")[2]
    PostgresqlRegistry(without, create=False).close()


def _everything(error: HandclaspError) -> str:
    """What any log could get hold of: the message, the hint, and every exception behind it."""
    return "".join(traceback.format_exception(error)) + repr(error) + (error.hint or "")
