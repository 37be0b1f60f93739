"""Configuration is read once, checked whole, and an error names the setting."""

from pathlib import Path

import pytest

from handclasp.errors import InvalidInput
from handclasp.settings import load


def written(folder: Path, text: str) -> Path:
    (folder / "handclasp.toml").write_text(text)
    return folder


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert settings.registry == "sqlite:///registry.db"
    assert settings.gateway.environments is None


def test_the_environment_takes_the_files_place(tmp_path: Path) -> None:
    written(tmp_path, '[gateway]\nlisten = "127.0.0.1:1"\n[authority]\nclient_days = 7\n')
    settings = load(tmp_path, {"HANDCLASP_GATEWAY_LISTEN": "127.0.0.1:2"})
    assert settings.gateway.listen == "127.0.0.1:2"
    assert settings.authority.client_days == 7


def test_another_file_can_be_named_and_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"other\.toml cannot be read"):
        load(tmp_path, {}, tmp_path / "other.toml")


def test_a_list_in_a_variable_is_separated_by_commas(tmp_path: Path) -> None:
    settings = load(tmp_path, {"HANDCLASP_GATEWAY_ENVIRONMENTS": "prod, staging,"})
    assert settings.gateway.environments == ("prod", "staging")


def test_an_empty_list_of_environments_admits_none_rather_than_all(tmp_path: Path) -> None:
    assert load(written(tmp_path, "[gateway]\nenvironments = []"), {}).gateway.environments == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("regsitry = 'x'", "unknown setting regsitry"),
        ("[gateway]\nlsten = 'x'", "unknown setting gateway.lsten"),
        ("gateway = 1", "setting gateway is a table"),
        ("[gateway]\nmax_connections = 'many'", "gateway.max_connections is a whole number"),
        ("[gateway]\nmax_connections = true", "gateway.max_connections is a whole number"),
        ("[gateway]\nmax_connections = 0", "gateway.max_connections is a positive number"),
        ("[gateway]\nlisten = 8443", "gateway.listen is a text"),
        ("[gateway]\nrefusal = 'maybe'", "gateway.refusal is one of forbidden, handshake"),
        ("[gateway]\nenvironments = 'prod'", "gateway.environments is a list of texts"),
        ("[gateway]\nenvironments = [1]", "gateway.environments is a list of texts"),
        ("[authority]\nclient_days = -1", "authority.client_days is a positive number"),
        ("not toml", "is not TOML"),
        ("state = 'elsewhere'", "unknown setting state"),
        ("[gatway]\nlisten = 'x'", "unknown setting gatway"),
        ("custody = 5", "setting custody is a text"),
        ("custody = ['file:pki']", "setting custody is a text"),
        ("[gateway]\nminimum_tls = 1.2", "gateway.minimum_tls is one of 1.2, 1.3"),
        ("[gateway]\ntrusted_proxies = -1", "gateway.trusted_proxies is a positive number"),
        ("[authority]\nclient_days = 90.5", "authority.client_days is a whole number"),
        ("[authority]\nclient_days = " + "9" * 5_000, "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        load(written(tmp_path, text), {})


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("HANDCLASP_GATEWAY_MAX_CONNECTIONS", "many", "is a whole number"),
        ("HANDCLASP_GATEWAY_MAX_CONNECTIONS", "-5", "is a positive number"),
        ("HANDCLASP_GATEWAY_REFUSAL", "maybe", "is one of"),
        ("HANDCLASP_GATEWAY_MAX_CONNECTIONS", "", "is a whole number"),
        ("HANDCLASP_GATEWAY_MAX_CONNECTIONS", "9" * 5_000, "is a whole number"),
        ("HANDCLASP_GATEWAY_TRUSTED_PROXIES", "-1", "is a positive number"),
    ],
)
def test_a_wrong_variable_is_named_too(tmp_path: Path, variable: str, value: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        load(tmp_path, {variable: value})


def test_no_trusted_proxy_is_a_number_too(tmp_path: Path) -> None:
    assert load(tmp_path, {"HANDCLASP_GATEWAY_TRUSTED_PROXIES": "0"}).gateway.trusted_proxies == 0


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "handclasp.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="is not TOML"):
        load(tmp_path, {})


def test_a_folder_in_the_files_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "handclasp.toml").mkdir()
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    written(tmp_path, "custody = 'file:one'")
    other = tmp_path / "other.toml"
    other.write_text("custody = 'file:two'")
    assert load(tmp_path, {}, other).custody == "file:two"


def test_a_wrong_value_in_the_file_is_no_matter_when_a_variable_takes_its_place(tmp_path: Path) -> None:
    written(tmp_path, "[gateway]\nmax_connections = 'many'")
    assert load(tmp_path, {"HANDCLASP_GATEWAY_MAX_CONNECTIONS": "5"}).gateway.max_connections == 5


def test_the_hint_of_an_unknown_setting_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(written(tmp_path, "[authority]\ntrustdomain = 'x'"), {})
    assert refused.value.hint is not None
    assert "trust_domain" in refused.value.hint


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        load(tmp_path, {}).custody = "file:other"  # type: ignore[misc]
