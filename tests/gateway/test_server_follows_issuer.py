"""The gateway's server certificate is of the issuer that signs now, seconds after that changed, and nobody notices."""

import pytest
from cryptography import x509

from handclasp.authority.issuers import certificate_of
from handclasp.authority.rotation.new_issuer import NewIssuers, new_hierarchy, new_intermediate
from handclasp.gateway.server_credential import server_credential
from handclasp.pki.extensions import NO_URLS
from handclasp.pki.naming import issuer_id
from handclasp.pki.path import SERVER_AUTH, verify_path
from handclasp.pki.pem import load_certificates
from handclasp.registry.records import IssuerStatus
from tests.gateway.callers import Caller
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, now, until
from tests.gateway.load import Load


def _registered(at: Deployment, new: NewIssuers) -> str:
    """Trusted and published, and not issuing yet: the id of the intermediate."""
    with at.registry.change() as change:
        for issuer in new.made:
            change.add_issuer(issuer)
    at.publish()
    return new.made[-1].issuer_id


def _another_intermediate(at: Deployment) -> NewIssuers:
    return new_intermediate(at.registry, at.custody, lambda: b"correct horse", NO_URLS, days=None, now=now())


def _another_hierarchy(at: Deployment) -> NewIssuers:
    return new_hierarchy(at.registry, at.custody, lambda: b"correct horse", NO_URLS, days=None, now=now())


def _set(at: Deployment, new: NewIssuers, status: IssuerStatus) -> None:
    with at.registry.change() as change:
        for issuer in new.made:
            change.set_issuer_status(issuer.issuer_id, status)


def _served_by(at: Deployment, caller: Caller) -> x509.Name:
    with at.http1(caller) as connection:
        return x509.load_der_x509_certificate(connection.tls.getpeercert(binary_form=True) or b"").issuer


@pytest.fixture
def served(own: Guarded) -> Guarded:
    until(lambda: own.deployment.reported() is not None, "reports")
    return own


def test_another_intermediate_serves_within_seconds_and_open_connections_stay(served: Guarded) -> None:
    at = served.deployment
    first = at.signing().record
    new = _another_intermediate(at)
    with at.http1(served.friend) as before, Load(at, (served.friend,)):
        assert before.ask().status == 200
        second = _registered(at, new)
        revision = at.registry.revision()
        until(lambda: (found := at.reported()) is not None and found.revision >= revision, "trusted")
        # Trusted is not issuing.
        reported = at.reported()
        assert reported is not None
        assert reported.server_issuer == first.issuer_id

        _set(at, new, IssuerStatus.ACTIVE)
        until(lambda: (found := at.reported()) is not None and found.server_issuer == second, "reported", 5)
        assert _served_by(at, served.friend).rfc4514_string() == new.made[-1].subject
        assert before.ask().status == 200
    assert served.running.said == []


def test_when_the_issuer_of_its_certificate_is_retired_it_takes_the_one_before(served: Guarded) -> None:
    at = served.deployment
    first = at.signing().record
    new = _another_intermediate(at)
    _registered(at, new)
    _set(at, new, IssuerStatus.ACTIVE)
    until(lambda: _served_by(at, served.friend).rfc4514_string() == new.made[-1].subject, "the new one")
    _set(at, new, IssuerStatus.RETIRED)
    until(lambda: _served_by(at, served.friend).rfc4514_string() == first.subject, "the old one", 5)


def test_under_a_new_root_the_chain_leads_to_the_old_one_as_well(served: Guarded) -> None:
    """Who trusts either of the roots alone verifies what the gateway sends."""
    at = served.deployment
    new = _another_hierarchy(at)
    with Load(at, (served.friend,)):
        _registered(at, new)
        _set(at, new, IssuerStatus.ACTIVE)
        until(lambda: _served_by(at, served.friend).rfc4514_string() == new.made[-1].subject, "the new one", 5)
    file = at.state / "gateway" / "server.pem"
    leaf, *others = load_certificates(file.read_bytes())
    assert issuer_id(others[0]) == new.made[-1].issuer_id
    assert len(others) == 2
    for root in (at.root, certificate_of(new.made[0])):
        verify_path(leaf, others, [root], now=now(), usage=SERVER_AUTH)


def test_when_the_old_root_goes_only_the_chain_is_another(deployment: Deployment) -> None:
    at = deployment
    old = at.registry.issuers()[0]
    new = _another_hierarchy(at)
    _registered(at, new)
    _set(at, new, IssuerStatus.ACTIVE)
    file = at.state / "gateway" / "server.pem"

    def credential() -> tuple[x509.Certificate, ...]:
        anchors = [at.root, certificate_of(new.made[0])]
        return server_credential(file, ("localhost",), anchors=anchors, **at.ports).certificates

    with_cross = credential()
    assert len(with_cross) == 3
    with at.registry.change() as change:
        change.set_issuer_status(old.issuer_id, IssuerStatus.RETIRED)
    assert credential() == with_cross[:2]
    assert credential() == with_cross[:2]


def test_an_issuer_whose_key_is_not_here_is_said_and_the_old_certificate_serves_on(served: Guarded) -> None:
    at = served.deployment
    new = _another_intermediate(at)
    key = at.state / "pki" / f"{new.made[-1].key_name}.key"
    away = key.rename(key.with_suffix(".away"))
    _registered(at, new)
    with Load(at, (served.friend,)):
        _set(at, new, IssuerStatus.ACTIVE)
        until(lambda: any("the server certificate cannot be renewed" in said for said in served.running.said), "said")
        assert at.status(served.friend) == 200
    away.rename(key)
