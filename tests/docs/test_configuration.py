"""docs/configuration.md and the settings say the same: names, variables, defaults; and its example loads."""

import dataclasses
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from handclasp.duration import duration_text
from handclasp.settings import (
    AuditSettings,
    AuthoritySettings,
    GatewaySettings,
    RotationSettings,
    Settings,
    WatchSettings,
    load,
)

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
TABLES = {
    "": Settings,
    "authority": AuthoritySettings,
    "gateway": GatewaySettings,
    "rotation": RotationSettings,
    "watch": WatchSettings,
    "audit": AuditSettings,
}


def documented() -> dict[str, tuple[str, str]]:
    """Variable -> (setting, default), as the page's tables have them."""
    rows = re.findall(r"^\| `(\w+)` \| `(HANDCLASP_\w+)` \| (.+?) \|", PAGE, re.MULTILINE)
    return {variable: (name, default.strip("`")) for name, variable, default in rows}


def actual() -> dict[str, tuple[str, str]]:
    found = {}
    for table, kind in TABLES.items():
        for each in dataclasses.fields(kind):
            if each.name in {"state", *TABLES}:
                continue
            variable = "_".join(part for part in ("HANDCLASP", table, each.name) if part).upper()
            found[variable] = (each.name, _written(each.default))
    return found


def _written(default: object) -> str:
    """As a variable would have it."""
    if isinstance(default, tuple):
        return ",".join(default) or "none"
    if isinstance(default, timedelta):
        return duration_text(default)
    return "none" if default is None else str(default)


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    assert documented() == actual()


def test_the_example_is_a_configuration_that_loads(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    assert found
    (tmp_path / "handclasp.toml").write_text(found[1])
    settings = load(tmp_path, {})
    written = tomllib.loads(found[1])
    assert settings.authority.organization == written["authority"]["organization"]
    assert list(settings.gateway.environments or ()) == written["gateway"]["environments"]


@pytest.mark.parametrize("variable", sorted(actual()))
def test_the_documented_default_given_as_a_variable_changes_nothing(variable: str, tmp_path: Path) -> None:
    default = documented()[variable][1]
    if default != "none":
        assert load(tmp_path, {variable: default}) == load(tmp_path, {})
