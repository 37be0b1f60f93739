"""Nobody is given a certificate that a gateway would refuse, and waiting for gateways does not stop the work."""

from dataclasses import replace

import pytest

from handclasp.delivery.memory import MemoryDelivery
from handclasp.delivery.port import Credential
from handclasp.errors import GatewayFailed
from handclasp.pki.naming import der_fingerprint
from handclasp.pki.pem import first_der
from handclasp.registry.port import Registry
from tests.rotation.clients import Office, in_memory

NAMES = [f"client-{number}" for number in range(12)]


class Watched(MemoryDelivery):
    """Remembers how far the gateway was behind each certificate when that was committed to its client."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.registry = registry
        self.early: list[str] = []
        self.handed = 0

    def deliver(self, credential: Credential) -> str:
        for gateway in self.registry.gateways():
            unserved = {s.certificate.fingerprint for s in self.registry.standings(since=gateway.revision)}
            if der_fingerprint(first_der(credential.certificate)) in unserved:
                self.early.append(credential.client_id)
        self.handed += 1
        return super().deliver(credential)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr("handclasp.authority.rotation.reissue.PAGE", 2)
    made = in_memory()
    for name in NAMES:
        made.enrol(name)
    made.delivery = Watched(made.authority.registry)
    return made


def report(office: Office, revision: int) -> None:
    office.gateway_reports()
    [gateway] = office.authority.registry.gateways()
    with office.authority.registry.change() as change:
        change.report_gateway(replace(gateway, revision=revision))


def test_a_certificate_is_handed_over_only_when_every_gateway_serves_it(office: Office) -> None:
    """The gateway is always a little behind."""
    known = [office.authority.registry.revision()]
    report(office, known[0])
    waits = 0

    def wait(seconds: float) -> bool:
        nonlocal waits
        office.later(seconds)
        known.append(office.authority.registry.revision())
        waits += seconds > 0
        if waits % 5 == 4:
            report(office, known[-3])
        return False

    office.rotate(wait=wait)
    delivery = office.delivery
    assert isinstance(delivery, Watched)
    assert (delivery.handed, delivery.early) == (len(NAMES), [])
    assert waits > 5


def test_the_next_pages_are_committed_while_one_waits(office: Office) -> None:
    report(office, office.authority.registry.revision())
    most = 0

    def wait(seconds: float) -> bool:
        nonlocal most
        delivery = office.delivery
        assert isinstance(delivery, Watched)
        if seconds > 0:
            issued = office.authority.actions().count("certificate.reissue")
            most = max(most, issued - delivery.handed)
            report(office, office.authority.registry.revision())
        office.later(seconds)
        return False

    office.rotate(wait=wait)
    assert most == 8, "four pages of two: no more than that is lost by a kill, and the gateway is asked once for all"


def test_a_gateway_that_never_comes_so_far_stops_it_and_nobody_is_given_anything(office: Office) -> None:
    report(office, 1)

    def wait(seconds: float) -> bool:
        office.later(seconds)
        report(office, 1)
        return False

    with pytest.raises(GatewayFailed, match="gateway gw serves revision 1"):
        office.rotate(wait=wait)
    delivery = office.delivery
    assert isinstance(delivery, Watched)
    assert delivery.handed == 0
    with office.authority.registry.change() as change:
        change.forget_gateway("gw")
    office.rotate()
    assert [len(office.held(name)) for name in NAMES] == [2] * len(NAMES), "what was committed is delivered, once"
