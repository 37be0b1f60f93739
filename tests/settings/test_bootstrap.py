"""From a URL to a backend: what is known, what is refused, and where its files are."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from handclasp import bootstrap
from handclasp.delivery.port import Credential
from handclasp.errors import ExtraMissing, InvalidInput, NotEstablished
from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.keys import KeyAlgorithm
from handclasp.settings import AuthoritySettings, Settings
from tests import making
from tests.postgresql import Server

OPENERS: dict[str, Callable[[Settings], object]] = {
    "custody": bootstrap.open_custody,
    "registry": lambda settings: bootstrap.open_registry(settings, create=True),
    "truststore": bootstrap.open_truststore,
    "delivery": bootstrap.open_delivery,
}


def test_the_default_backends_are_files_in_the_state_folder(state: Path) -> None:
    settings = Settings(state)
    registry = bootstrap.open_registry(settings, create=True)
    registry.close()
    bootstrap.open_custody(settings).keep("root", making.key())
    bootstrap.open_truststore(settings).publish(b"bundle")
    names = {each.name for each in state.iterdir()}
    assert {"registry.db", "pki", "truststore.pem"} <= names
    assert bootstrap.open_truststore(settings).location() == str(state / "truststore.pem")


def test_a_url_with_an_absolute_path_is_outside_the_state_folder(state: Path, tmp_path: Path) -> None:
    settings = Settings(state, registry=f"sqlite:///{tmp_path}/elsewhere.db", truststore=f"file:{tmp_path}/trust.pem")
    bootstrap.open_registry(settings, create=True).close()
    bootstrap.open_truststore(settings).publish(b"bundle")
    assert {"elsewhere.db", "trust.pem"} <= {each.name for each in tmp_path.iterdir()}
    assert list(state.iterdir()) == []


def test_a_registry_that_is_not_there_is_not_made_by_looking(state: Path) -> None:
    with pytest.raises(NotEstablished, match="there is no authority in") as refused:
        bootstrap.open_registry(Settings(state))
    assert refused.value.hint == "run: handclasp init"
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize("url", ["", "pki", "FILE:pki", "dynamodb://table", "http://example.org"])
def test_an_unknown_backend_is_refused_with_the_known_ones(state: Path, name: str, url: str) -> None:
    with pytest.raises(InvalidInput, match=f"setting {name} names an unknown backend") as refused:
        OPENERS[name](replace(Settings(state), **{name: url}))  # type: ignore[arg-type]
    assert refused.value.hint in {"known: file", "known: postgres, postgresql, sqlite"}


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize("rest", ["", "/", "///", ".", "..", "a/.."])
def test_a_url_that_names_no_place_is_refused(state: Path, name: str, rest: str) -> None:
    scheme = "sqlite" if name == "registry" else "file"
    with pytest.raises(InvalidInput, match=f"setting {name} names no place"):
        OPENERS[name](replace(Settings(state), **{name: f"{scheme}:{rest}"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize(
    "url",
    ["postgress://u:hunter2@host/db", "hunter2@host", "postgresql://u:hunter2@host/..", "x://h/d?password=hunter2"],
)
def test_a_refused_url_is_shown_without_its_password(state: Path, name: str, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        OPENERS[name](replace(Settings(state), **{name: url}))  # type: ignore[arg-type]
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_registry_in_postgresql_is_made_by_init_only(state: Path, postgresql: Server, scheme: str) -> None:
    url = postgresql.create(template="template0")
    settings = Settings(state, registry=url.replace("postgresql", scheme, 1))
    with pytest.raises(NotEstablished, match="there is no authority in registry test_") as refused:
        bootstrap.open_registry(settings)
    assert refused.value.hint == "run: handclasp init"
    assert postgresql.run("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", url) == []
    bootstrap.open_registry(settings, create=True).close()
    bootstrap.open_registry(settings).close()
    postgresql.drop(url)


def test_without_its_driver_a_registry_in_postgresql_says_what_to_install(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [each for each in sys.modules if each.startswith("handclasp.registry.postgresql")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing, match="needs psycopg") as missing:
        bootstrap.open_registry(Settings(state, registry="postgresql://host/db"))
    assert missing.value.hint == "pip install 'handclasp[postgresql]'"


def test_files_are_delivered_into_the_clients_folder_or_one_of_the_callers_choice(state: Path, tmp_path: Path) -> None:
    credential = Credential("acme", b"certificate", b"chain", b"anchor")
    assert bootstrap.open_delivery(Settings(state)).deliver(credential) == str(state / "clients" / "acme")
    assert bootstrap.open_folder(tmp_path / "out").deliver(credential) == str(tmp_path / "out")


def test_the_practice_says_what_the_settings_say(state: Path) -> None:
    chosen = AuthoritySettings(
        trust_domain="example.org",
        key_algorithm="rsa3072",
        client_days=7,
        server_days=8,
        organization="Acme, Inc.",
        policy_oid="1.3.6.1.4.1.55555.1",
        ca_issuers_url="http://pki.example.org/ca.cer",
        crl_url="http://pki.example.org/ca.crl",
    )
    practice = bootstrap.practice(Settings(state, authority=chosen))
    assert (practice.trust_domain, practice.key_algorithm, practice.organization) == (
        "example.org",
        KeyAlgorithm.RSA3072,
        "Acme, Inc.",
    )
    assert (practice.client.days, practice.server.days) == (7, 8)
    assert practice.urls == IssuerUrls("http://pki.example.org/ca.cer", "http://pki.example.org/ca.crl")
    assert [oid.dotted_string for oid in practice.client.policies] == ["1.3.6.1.4.1.55555.1"]


@pytest.mark.parametrize(
    "wrong",
    [
        AuthoritySettings(trust_domain="Not A Domain"),
        AuthoritySettings(organization="x" * 65),
        AuthoritySettings(organization=" x"),
        AuthoritySettings(client_days=3651),
        AuthoritySettings(server_days=3651),
        AuthoritySettings(policy_oid="nonsense"),
    ],
)
def test_a_setting_that_no_certificate_may_have_is_refused(state: Path, wrong: AuthoritySettings) -> None:
    with pytest.raises(InvalidInput):
        bootstrap.practice(Settings(state, authority=wrong))
