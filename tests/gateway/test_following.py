"""The gateway follows what changes, without a restart and without dropping anybody."""

import json
import time
from datetime import timedelta

import pytest
from cryptography import x509

from handclasp.authority.establish import HierarchyPlan, make_intermediate, make_root
from handclasp.authority.recording import certificate_record, issuer_record
from handclasp.gateway import news, server_renewal
from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.pki.naming import serial_text
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import for_key
from handclasp.registry.records import Client, ClientStatus, IssuerKind, IssuerStatus
from tests.gateway.callers import Caller
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, now, until
from tests.gateway.load import Load


def test_a_new_client_is_let_in_on_a_connection_it_opened_before_it_was_registered(guarded: Guarded) -> None:
    at = guarded.deployment
    path, key = at.issue("early")
    early = at.caller("early", path, key)
    with at.http1(early) as one, at.http2(early) as two, Load(at, (guarded.friend,)):
        assert [one.ask().status, two.ask().status] == [403, 403]
        at.register("early", path[0])
        until(lambda: [one.ask().status, two.ask().status] == [200, 200], "let in on both")
    assert at.status(early) == 200


def test_a_certificate_is_refused_on_its_open_connection_when_its_time_is_over(guarded: Guarded) -> None:
    at = guarded.deployment
    end = (now() + timedelta(seconds=3)).replace(microsecond=0)
    brief = at.registered("brief", (now() - timedelta(hours=1), end))
    at.let_in(brief)
    with at.http1(brief) as one, at.http2(brief) as two, Load(at, (guarded.friend,)):
        while now() < end:
            assert [one.ask().status, two.ask().status] == [200, 200]
            time.sleep(0.05)
        # notAfter itself is still valid (RFC 5280 4.1.2.5): the second after it is not.
        until(lambda: [one.ask().status, two.ask().status] == [403, 403], "refused")
        assert end <= now() <= end + timedelta(seconds=2)


def test_a_certificate_is_let_in_when_its_time_comes(guarded: Guarded) -> None:
    at = guarded.deployment
    begin = now() + timedelta(seconds=2)
    young = at.registered("patient", (begin, begin + timedelta(hours=1)))
    assert at.status(young) == 403
    at.let_in(young)
    assert now() >= begin.replace(microsecond=0)


def test_a_retired_issuer_s_clients_are_refused_on_their_open_connections_and_come_back_with_it(own: Guarded) -> None:
    at = own.deployment
    issuer = at.signing().record.issuer_id
    with at.http1(own.friend) as connection:
        assert connection.ask().status == 200
        _set_issuer(at, issuer, IssuerStatus.RETIRED)
        until(lambda: connection.ask().status == 403, "refused", 1)
        _set_issuer(at, issuer, IssuerStatus.ACTIVE)
        until(lambda: connection.ask().status == 200, "let in again", 1)


def _set_issuer(at: Deployment, issuer: str, status: IssuerStatus) -> None:
    with at.registry.change() as change:
        change.set_issuer_status(issuer, status)


def test_a_second_hierarchy_is_trusted_once_it_is_published(own: Guarded) -> None:
    at = own.deployment
    root = make_root(HierarchyPlan("Second Root"), now())
    assert root.key is not None
    intermediate = make_intermediate(HierarchyPlan(intermediate_name="Second CA"), root.certificate, root.key, now())
    assert intermediate.key is not None
    authority = IssuingAuthority(intermediate.certificate, intermediate.key)
    key = generate(KeyAlgorithm.P256)
    made = issue(prepare(for_key(key), CLIENT, authority, subject=subject("newcomer"), now=now()), authority)
    newcomer = at.caller("newcomer", (made, intermediate.certificate), key)
    with Load(at, (own.friend,)):
        assert at.status(newcomer) == 403
        _register_hierarchy(at, root.certificate, intermediate.certificate, made)
        assert at.status(newcomer) == 403
        at.publish()
        at.let_in(newcomer)


def _register_hierarchy(
    at: Deployment, root: x509.Certificate, intermediate: x509.Certificate, made: x509.Certificate
) -> None:
    above = issuer_record(root, kind=IssuerKind.ROOT, key_name=None, parent_id=None, now=now())
    issuer = issuer_record(
        intermediate, kind=IssuerKind.INTERMEDIATE, key_name=None, parent_id=above.issuer_id, now=now()
    )
    record = certificate_record(made, issuer=issuer.issuer_id, client_id="newcomer", profile="client", now=now())
    with at.registry.change() as change:
        change.add_issuer(above)
        change.add_issuer(issuer)
        change.add_client(Client("newcomer", "prod", "shop", None, None, ClientStatus.ACTIVE, 0))
        change.add_certificate(record)


def test_a_trust_store_that_is_taken_away_refuses_everybody_until_it_is_back(
    own: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "TRUST_POLL_SECONDS", 1)
    at = own.deployment
    file = at.state / at.settings.truststore.removeprefix("file:")
    kept = file.read_bytes()
    with at.http1(own.friend) as connection:
        assert connection.ask().status == 200
        file.unlink()
        until(lambda: connection.ask().status == 403, "refused")
        at.truststore.publish(kept)
        until(lambda: connection.ask().status == 200, "let in again")
    assert own.running.error is None


def _server_serial(at: Deployment, caller: Caller) -> int:
    with at.http1(caller) as connection:
        return x509.load_der_x509_certificate(connection.tls.getpeercert(binary_form=True) or b"").serial_number


def test_the_server_certificate_is_renewed_without_dropping_a_connection(
    own: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_renewal, "CHECK_SECONDS", 0.1)
    at = own.deployment
    first = _server_serial(at, own.friend)
    with Load(at, (own.friend,)):
        (at.state / "gateway" / "server.pem").unlink()
        until(lambda: _server_serial(at, own.friend) != first, "new connections see the new certificate")
    second = _server_serial(at, own.friend)
    known = {json.loads(e.details)["serial_number"] for e in at.registry.audit() if e.action == "server.issue"}
    assert {serial_text(first), serial_text(second)} == known


def test_a_server_certificate_that_cannot_be_renewed_serves_on_and_the_operator_is_told(
    own: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = own.deployment
    key = at.state / "pki" / f"{at.signing().record.key_name}.key"
    key.rename(key.with_suffix(".away"))
    (at.state / "gateway" / "server.pem").unlink()
    with Load(at, (own.friend,)):
        monkeypatch.setattr(server_renewal, "CHECK_SECONDS", 0.1)
        until(lambda: any("cannot be renewed" in line for line in own.running.said), "said")
        key.with_suffix(".away").rename(key)
        until((at.state / "gateway" / "server.pem").exists, "renewed when the key is back")
