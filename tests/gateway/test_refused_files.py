"""A file Envoy does not understand changes nothing, and the gateway stops rather than go on half told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from handclasp.authority.revoke import suspend_client
from handclasp.errors import GatewayFailed
from handclasp.gateway.envoy.admin import Admin
from handclasp.gateway.envoy.bootstrap_file import ADMIN_SOCKET, CURRENT, DYNAMIC_FILES
from handclasp.gateway.envoy.messages import message
from tests.gateway.callers import Caller, Closed
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, until

_REFUSED_KILLS = "extension_config_discovery.http_filter.kill.config_fail"


def _envoy(at: Deployment) -> Path:
    return at.state / "gateway" / "envoy"


def _stats(at: Deployment, pattern: str) -> dict[str, int | str]:
    return Admin(_envoy(at) / ADMIN_SOCKET).stats(pattern)


def _publish(at: Deployment, name: str, content: bytes) -> None:
    """As `EnvoyProxy` does, with what it would never write."""
    folder = _envoy(at) / name
    (folder / "999").mkdir()
    (folder / "999" / DYNAMIC_FILES[name]).write_bytes(content)
    (folder / ".following").symlink_to("999")
    os.replace(folder / ".following", folder / CURRENT)  # noqa: PTH105 - renames the link, not its target


def _now(at: Deployment, name: str) -> bytes:
    return (_envoy(at) / name / CURRENT / DYNAMIC_FILES[name]).read_bytes()


def _misspelt_kill(content: bytes) -> bytes:
    """An empty kill list with a typo: read leniently it would let everybody go."""
    kill: dict[str, Any] = json.loads(content)
    rbac = kill["resources"][0]["typed_config"]
    rbac.pop("matcher", None)
    rbac["matchr"] = {}
    kill["version_info"] = "999"
    return json.dumps(kill).encode()


def _unknown_field(content: bytes) -> bytes:
    """The routes, and a field of that message that no version of Envoy knows: number 1000, a varint."""
    # Resource 2 of the response is an Any (1: type, 2: value); the field is appended inside its value.
    response = message("DiscoveryResponse")
    response.ParseFromString(content)
    response.version_info = "999"
    response.resources[0].value += b"\xc0\x3e\x01"
    return bytes(response.SerializeToString())


def _no_routes(content: bytes) -> bytes:
    return b"not protobuf at all"


@pytest.mark.parametrize(
    ("name", "spoil"),
    [("kill", _misspelt_kill), ("table", _unknown_field), ("table", _no_routes), ("kill", _no_routes)],
)
def test_what_envoy_does_not_understand_does_not_let_anybody_in(name: str, spoil: Any, own: Guarded) -> None:
    at = own.deployment
    suspended = at.enrol("held")
    at.let_in(suspended)
    suspend_client("held", registry=at.registry, **at.recorded)
    until(lambda: at.status(suspended) == 403, "suspended")

    _publish(at, name, spoil(_now(at, name)))

    for _ in range(20):
        # Sooner or later the gateway notices, and nobody gets an answer at all.
        assert not _lets_in(at, suspended)
        assert not _lets_in(at, at.nobody)


def _lets_in(at: Deployment, caller: Caller) -> bool:
    try:
        return at.status(caller) == 200
    except (Closed, OSError):
        return False


def test_a_gateway_whose_envoy_refused_a_file_stops_when_it_next_tells_it_something(own: Guarded) -> None:
    at = own.deployment
    _publish(at, "kill", _misspelt_kill(_now(at, "kill")))
    until(lambda: int(_stats(at, "config_fail").get(_REFUSED_KILLS, 0)) > 0, "Envoy refuses it")
    at.enrol("newcomer")
    error = own.running.ended()
    assert isinstance(error, GatewayFailed)
    assert "Envoy refuses the configuration" in str(error)
    with pytest.raises((Closed, OSError)):
        at.status(own.friend)


def test_every_file_that_was_written_is_the_one_in_force(guarded: Guarded) -> None:
    at = guarded.deployment
    at.let_in(at.enrol("counted"))

    def all_in_force() -> bool:
        versions = set(_stats(at, "version_text$").values())
        written = {str((_envoy(at) / name / CURRENT).readlink()) for name in DYNAMIC_FILES}
        return written <= versions

    until(all_in_force, "every generation in force")
    refusals = _stats(at, "(update_rejected|config_fail|key_rotation_failed)$")
    assert refusals
    assert set(refusals.values()) == {0}


def test_the_admin_interface_tells_only_what_we_read(guarded: Guarded) -> None:
    admin = Admin(_envoy(guarded.deployment) / ADMIN_SOCKET)
    assert admin.ready()
    for path in ("/config_dump", "/certs", "/quitquitquit", "/logging", "/server_info"):
        assert admin._get(path)[0] == 403, path
