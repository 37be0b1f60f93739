"""Serving begins when the listener answers, and ends with Envoy gone, whatever came between."""

import socket
from dataclasses import replace

import pytest

from handclasp.errors import GatewayFailed
from handclasp.gateway import run
from tests.gateway.callers import Closed
from tests.gateway.deployment import Deployment, Running, free_port
from tests.gateway.terminal import alive


def test_who_is_stopped_before_it_serves_never_says_it_does(deployment: Deployment) -> None:
    running = Running(deployment)
    running.stop_at_once = True
    with running:
        assert not running.is_ready
    assert running.error is None
    assert not (deployment.state / "gateway" / "status.json").exists()


def test_an_envoy_that_does_not_serve_in_time_is_stopped_and_said(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "START_SECONDS", -1.0)
    with Running(deployment) as running:
        assert isinstance(running.error, GatewayFailed)
        assert "did not serve within" in str(running.error)
    with pytest.raises((Closed, OSError)):
        deployment.status(deployment.nobody)


def test_its_status_tells_what_it_follows(deployment: Deployment) -> None:
    deployment.enrol("acme")
    with Running(deployment) as running:
        envoy = running.envoy_pid
        assert alive(envoy)
    assert not alive(envoy)


def test_it_listens_on_ipv6(deployment: Deployment) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    gateway = replace(deployment.settings.gateway, listen=f"[::1]:{port}")
    deployment.settings = replace(deployment.settings, gateway=gateway)
    with Running(deployment) as running:
        assert running.error is None
        with socket.create_connection(("::1", port), timeout=5):
            pass
