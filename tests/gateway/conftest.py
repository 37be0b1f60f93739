"""Gateways to share: one per refusal mode for a whole session, and a deployment to run one's own.

Who shares a gateway enrols callers of its own and leaves everybody else's alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.callers import Caller
from tests.gateway.deployment import Deployment, Running
from tests.gateway.service import Service


@dataclass(frozen=True)
class Guarded:
    """A deployment that serves, what is behind it, and a caller that passes."""

    deployment: Deployment
    service: Service
    running: Running
    friend: Caller


@contextmanager
def running_gateway(folder: Path, crowd: int = 0, **gateway: Any) -> Iterator[Guarded]:
    """With one caller that passes, and as many more certificates in the registry as `crowd` says."""
    with Service() as service:
        deployment = Deployment(folder, service.url, **gateway)
        friend = deployment.enrol("friend")
        deployment.crowd(crowd)
        with Running(deployment) as running:
            assert running.error is None, running.error
            yield Guarded(deployment, service, running, friend)
        deployment.close()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A gateway that refuses by 403. It admits the environments prod and test."""
    with running_gateway(tmp_path_factory.mktemp("forbidden"), environments=("prod", "test")) as each:
        yield each


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A gateway that refuses in the handshake, behind a proxy of ours that it believes."""
    with running_gateway(tmp_path_factory.mktemp("handshake"), refusal="handshake", trusted_proxies=1) as each:
        yield each


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Guarded]:
    """A gateway to break."""
    with running_gateway(tmp_path) as each:
        yield each


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as each:
        yield each


@pytest.fixture
def deployment(tmp_path: Path, service: Service) -> Iterator[Deployment]:
    """An authority and its settings; nothing runs yet."""
    made = Deployment(tmp_path, service.url)
    yield made
    made.close()
