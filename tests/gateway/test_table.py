"""The table's entry for a certificate is what the decision says of it, now and whenever time changes it."""

from datetime import timedelta
from itertools import product

import pytest

from handclasp.authorizer.decision import Policy, Reason
from handclasp.gateway.issuer_trust import Window, issuer_trust
from handclasp.gateway.table import Table
from handclasp.pki.pem import load_certificates
from handclasp.registry.records import CertificateStatus, ClientStatus, IssuerStatus, Standing
from tests.gateway.entries import certificate, client
from tests.gateway.world import BUNDLE, ISSUER, World, decide_directly
from tests.making import NOW

_VALIDITY = {"past": (-60, -30), "present": (-60, 60), "future": (30, 60)}
_POLICIES = {"everybody": None, "prod": frozenset({"prod"}), "test": frozenset({"test"}), "nobody": frozenset[str]()}


@pytest.mark.parametrize("policy", _POLICIES)
def test_each_state_of_the_registry_has_the_entry_that_the_decision_gives(policy: str) -> None:
    world = World(Policy(_POLICIES[policy]))
    states = product(CertificateStatus, ClientStatus, _VALIDITY, (BUNDLE, b""), IssuerStatus)
    for number, (status, client_status, validity, bundle, issuer_status) in enumerate(states, 1):
        begin, end = (NOW + timedelta(seconds=seconds) for seconds in _VALIDITY[validity])
        made = certificate("acme", number, not_before=begin, not_after=end, issuer_id=ISSUER.issuer_id, status=status)
        owner = client("acme", client_status)
        world.truststore.publish(bundle)
        world.set_issuer(issuer_status)
        table = world.fresh_table()

        table.apply([Standing(made, owner)], int(NOW.timestamp()))

        assert table.entries[made.fingerprint].reason is decide_directly(world, made, owner).reason


def test_every_reason_a_registered_certificate_can_have_comes_up_in_its_place() -> None:
    """The table above would agree with the decision even if both said the same of everything."""
    world = World(Policy(frozenset({"prod"})))
    minute = timedelta(minutes=1)
    found = {
        "allowed": world.enrol("good"),
        "expired": world.enrol("old", not_before=NOW - 2 * minute, not_after=NOW - minute),
        "not_yet_valid": world.enrol("young", not_before=NOW + minute),
        "environment_not_admitted": world.enrol("guest", environment="test"),
        "client_suspended": world.enrol("held"),
        "client_revoked": world.enrol("gone"),
        "certificate_revoked": world.enrol("lost"),
    }
    world.suspend("held")
    world.set_client("gone", ClientStatus.REVOKED)
    world.revoke("lost")
    world.settle()
    assert {f: entry.reason.value for f, entry in world.proxy.acting.items()} == {f: r for r, f in found.items()}


def test_only_what_changed_is_reported() -> None:
    table = Table(Policy())
    moment = int(NOW.timestamp())
    made = certificate("acme", 1, issuer_id=ISSUER.issuer_id)
    standing = Standing(made, client("acme"))
    assert table.apply([standing], moment) == {made.fingerprint}
    assert table.apply([standing], moment) == set()
    assert table.advance(moment) == set()


def test_time_is_asked_for_only_what_is_due() -> None:
    table = Table(Policy())
    moment = int(NOW.timestamp())
    table.trust({ISSUER.issuer_id: Window(0, moment + 100)}, moment)
    made = certificate("acme", 1, issuer_id=ISSUER.issuer_id, not_before=NOW, not_after=NOW + timedelta(seconds=200))
    table.apply([Standing(made, client("acme"))], moment)
    assert table.entries[made.fingerprint].allow

    assert table.advance(moment + 100) == set()
    # The issuer ends before its certificate does.
    assert table.advance(moment + 101) == {made.fingerprint}
    assert table.entries[made.fingerprint].reason is Reason.PATH_INVALID


def test_what_is_not_in_the_table_is_denied_as_unregistered() -> None:
    assert Table(Policy()).denied(["ab" * 32]) == {"ab" * 32: Reason.UNREGISTERED}


def test_an_issuer_is_trusted_for_as_long_as_every_certificate_of_its_path_is_valid() -> None:
    world = World()
    windows = issuer_trust(world.registry.issuers(), load_certificates(BUNDLE), NOW)
    ends = [c.not_valid_after_utc for c in load_certificates(BUNDLE)]
    assert windows[ISSUER.issuer_id].not_after == int(min(ends).timestamp())


@pytest.mark.parametrize("when", [NOW - timedelta(days=365), NOW + timedelta(days=36_500)])
def test_an_issuer_outside_its_validity_is_not_trusted(when: object) -> None:
    issuers = World().registry.issuers()
    assert issuer_trust(issuers, load_certificates(BUNDLE), when) == {}  # type: ignore[arg-type]


def test_an_intermediate_without_its_root_in_the_trust_store_is_not_trusted() -> None:
    _, intermediate = load_certificates(BUNDLE)
    assert issuer_trust(World().registry.issuers(), [intermediate], NOW) == {}
