"""The same with a thousand certificates in the table, and while it is rewritten all the time."""

import threading
from collections.abc import Iterator

import pytest

from handclasp import bootstrap
from handclasp.authority.enrol import Enrolment, enrol
from handclasp.pki.identity import client_id
from tests.gateway.conftest import Guarded, running_gateway
from tests.gateway.deployment import Deployment, now
from tests.gateway.load import Load
from tests.gateway.test_revocation import REFUSALS, open_connections, seconds_until_refused

_MANY = 1_000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with running_gateway(tmp_path_factory.mktemp("crowded"), crowd=_MANY) as each:
        yield each


def test_a_revocation_acts_at_once_with_a_thousand_certificates(crowded: Guarded) -> None:
    at = crowded.deployment
    victims = [at.enrol(f"victim-{number}") for number in range(10)]
    at.let_in(*victims)
    with Load(at, (crowded.friend,)):
        for victim in victims:
            with open_connections(at, victim) as connections:
                REFUSALS["revoke"](at, victim)
                seconds_until_refused(connections)
                assert at.status(victim) == 403


def test_a_revocation_acts_at_once_during_an_enrolment_storm(crowded: Guarded) -> None:
    """Every enrolment is another table on its way; the kill must not wait behind them."""
    at = crowded.deployment
    victims = [at.enrol(f"stormy-{number}") for number in range(5)]
    at.let_in(*victims)
    stop = threading.Event()
    storm = _Storm(at, stop)
    with Load(at, (crowded.friend,)):
        storm.start()
        try:
            for victim in victims:
                with open_connections(at, victim) as connections:
                    REFUSALS["suspend"](at, victim)
                    seconds_until_refused(connections)
                    # Refused, and it stays so while tables come and go.
                    for _ in range(50):
                        assert [each.ask().status for each in connections] == [403, 403]
        finally:
            stop.set()
            storm.join(20)
    assert storm.enrolled > 5
    at.let_in(*(at.enrol(f"after-{number}") for number in range(2)))


class _Storm(threading.Thread):
    """Enrols one client after another, through ports of its own."""

    def __init__(self, at: Deployment, stop: threading.Event) -> None:
        super().__init__()
        self.enrolled = 0
        self._at = at
        self._stopping = stop

    def run(self) -> None:
        registry = bootstrap.open_registry(self._at.settings)
        try:
            while not self._stopping.is_set():
                ports = {**self._at.ports, "registry": registry, "now": now()}
                enrol(Enrolment(client_id(f"storm-{self.enrolled}"), "prod", "shop"), **ports)
                self.enrolled += 1
        finally:
            registry.close()
