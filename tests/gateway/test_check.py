"""`gateway check` and `gateway config`: what Envoy would be given, and what it says to it, without serving."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from handclasp.authority.revoke import suspend_client
from handclasp.errors import GatewayFailed
from handclasp.gateway.check import check_gateway
from tests.gateway.deployment import Deployment, handclasp, now


def _check(at: Deployment, **gateway: Any) -> dict[str, int]:
    settings = replace(at.settings, gateway=replace(at.settings.gateway, **gateway))
    return check_gateway(settings, at.registry, at.truststore, now()).decisions


@pytest.mark.parametrize(
    "gateway",
    [
        {},
        {"refusal": "handshake", "minimum_tls": "1.3"},
        {"trusted_proxies": 2, "listen": "[::1]:8443", "upstream": "http://localhost"},
    ],
)
def test_envoy_accepts_the_configuration_that_each_setting_makes(
    gateway: dict[str, Any], deployment: Deployment
) -> None:
    assert _check(deployment, **gateway) == {}


def test_it_counts_the_decisions_by_reason(deployment: Deployment) -> None:
    for name in ("one", "two", "three"):
        deployment.enrol(name)
    deployment.enrol("guest", "test")
    suspend_client("three", registry=deployment.registry, **deployment.recorded)
    found = _check(deployment, environments=("prod",))
    assert found == {"allowed": 2, "client_suspended": 1, "environment_not_admitted": 1}


def test_what_envoy_does_not_accept_is_told_in_its_own_words(deployment: Deployment) -> None:
    with pytest.raises(GatewayFailed, match=r"Envoy refuses the configuration: .*malformed"):
        _check(deployment, listen="999.0.0.1:8443")


def test_the_command_prints_it(deployment: Deployment) -> None:
    deployment.enrol("one")
    done = handclasp(deployment.state, "gateway", "check", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["decisions"] == {"allowed": 1}
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])

    plain = handclasp(deployment.state, "gateway", "check")
    assert "1 allowed" in plain.stdout


def test_config_prints_the_bootstrap_without_a_key_in_it(deployment: Deployment) -> None:
    done = handclasp(deployment.state, "gateway", "config", "--upstream", "http://127.0.0.1:3000")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["static_resources"]["clusters"][0]["name"] == "upstream"
    assert "PRIVATE KEY" not in done.stdout
