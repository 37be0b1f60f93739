"""The follower tells the proxy what must stop before all else, and never lifts a kill too early."""

from datetime import timedelta

import pytest

from handclasp.authorizer.decision import Policy, Reason
from handclasp.errors import GatewayFailed, InvalidInput
from handclasp.gateway import follow, news
from handclasp.registry.records import ClientStatus, IssuerStatus
from tests.gateway.world import BUNDLE, World
from tests.making import NOW


@pytest.fixture
def world() -> World:
    """With one client that passes, and a proxy that has been told."""
    world = World()
    world.acme = world.enrol("acme")  # type: ignore[attr-defined]
    world.settle()
    world.proxy.told.clear()
    return world


def acme(world: World) -> str:
    fingerprint: str = world.acme  # type: ignore[attr-defined]
    return fingerprint


def test_who_is_registered_is_let_in_and_the_anchors_are_told_first() -> None:
    world = World()
    fingerprint = world.enrol("acme")
    assert world.step()
    assert world.proxy.told == ["trust", "table"]
    assert world.proxy.anchors == BUNDLE

    world.settle()
    assert world.proxy.lets_in() == {fingerprint}
    assert world.follower.allowed == 1
    assert world.follower.revision == world.registry.revision()


def test_nothing_new_is_nothing_told(world: World) -> None:
    assert not world.step()
    assert not world.step()
    assert world.proxy.told == []


def test_a_revocation_is_a_kill_and_no_table(world: World) -> None:
    world.revoke("acme")
    assert world.step()
    assert world.proxy.kills == {acme(world): Reason.CERTIFICATE_REVOKED}
    assert world.proxy.told == ["kill"]


def test_a_suspension_is_a_kill_and_resuming_lifts_it_without_a_table(world: World) -> None:
    world.suspend("acme")
    world.step()
    assert world.proxy.kills == {acme(world): Reason.CLIENT_SUSPENDED}
    world.resume("acme")
    world.step()
    assert world.proxy.kills == {}
    assert world.proxy.told == ["kill", "kill"]


def test_the_kill_is_told_before_the_table_that_somebody_new_needs(world: World) -> None:
    world.revoke("acme")
    world.enrol("beta")
    world.step()
    assert world.proxy.told == ["kill", "table"]


def test_a_kill_stays_until_the_table_without_that_certificate_acts(world: World) -> None:
    world.revoke("acme")
    beta = world.enrol("beta")
    world.step()
    for _ in range(3):
        world.step()
        assert world.proxy.kills == {acme(world): Reason.CERTIFICATE_REVOKED}

    world.proxy.begin_to_act()
    world.step()
    assert world.proxy.kills == {}
    assert world.proxy.lets_in() == {beta}


def test_who_is_resumed_and_suspended_again_while_a_table_is_on_its_way_stays_killed(world: World) -> None:
    """The table that is being replaced would still let it in."""
    world.suspend("acme")
    world.enrol("beta")
    world.step()
    world.resume("acme")
    world.step()
    world.suspend("acme")
    world.step()
    assert acme(world) not in world.proxy.may_let_in()


def test_a_table_is_not_written_behind_one_that_does_not_act_yet(world: World) -> None:
    world.enrol("beta")
    world.step()
    gamma = world.enrol("gamma")
    world.step()
    assert world.proxy.told == ["table"]

    world.proxy.begin_to_act()
    world.step()
    world.proxy.begin_to_act()
    assert gamma in world.proxy.lets_in()


def test_after_a_table_the_proxy_rests_as_long_as_that_took_it_and_kills_do_not_wait(world: World) -> None:
    world.enrol("beta")
    world.step()
    world.elapsed += 5
    world.enrol("gamma")
    world.proxy.begin_to_act()
    world.step()
    world.elapsed += 4.9
    world.suspend("acme")
    # The clock may be set, even by a day: that neither shortens nor lengthens the rest.
    world.now += timedelta(days=1)
    world.step()
    assert world.proxy.told == ["table", "kill"]

    world.elapsed += 0.1
    world.step()
    assert world.proxy.told == ["table", "kill", "table"]


def test_more_kills_than_the_list_should_hold_become_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "MAX_KILLS", 3)
    world = World()
    names = [f"client-{number}" for number in range(5)]
    fingerprints = [world.enrol(name) for name in names]
    world.settle()
    world.proxy.told.clear()
    for name in names[:3]:
        world.suspend(name)
        world.step()
    assert world.proxy.told == ["kill"] * 3

    world.suspend(names[3])
    world.step()
    assert world.proxy.told == ["kill"] * 4 + ["table"]
    assert len(world.proxy.kills) == 4
    world.settle()
    assert world.proxy.kills == {}
    assert world.proxy.lets_in() == {fingerprints[4]}


def test_time_alone_refuses_a_certificate_the_second_after_its_not_after(world: World) -> None:
    beta = world.enrol("beta", not_after=NOW + timedelta(seconds=60))
    world.settle()
    world.now = NOW + timedelta(seconds=60)
    world.step()
    assert beta in world.proxy.lets_in()

    world.now = NOW + timedelta(seconds=61)
    world.step()
    assert world.proxy.kills == {beta: Reason.EXPIRED}


def test_time_alone_lets_in_a_certificate_whose_not_before_comes(world: World) -> None:
    beta = world.enrol("beta", not_before=NOW + timedelta(seconds=60))
    world.settle()
    assert beta not in world.proxy.lets_in()

    world.now = NOW + timedelta(seconds=60)
    world.settle()
    assert beta in world.proxy.lets_in()


def test_a_retired_issuer_takes_all_its_certificates_with_it(world: World) -> None:
    world.set_issuer(IssuerStatus.RETIRED)
    world.step()
    assert world.proxy.kills == {acme(world): Reason.PATH_INVALID}


def test_a_trust_store_that_was_emptied_denies_everybody_within_seconds(world: World) -> None:
    world.truststore.publish(b"")
    world.now += timedelta(seconds=news.TRUST_POLL_SECONDS)
    world.step()
    assert world.proxy.lets_in() == set()
    assert world.proxy.anchors == BUNDLE  # no proxy takes a file without anchors

    world.truststore.publish(BUNDLE)
    world.now += timedelta(seconds=news.TRUST_POLL_SECONDS)
    world.settle()
    assert world.proxy.lets_in() == {acme(world)}


def test_an_emptied_trust_store_is_seen_although_the_clock_was_set_back(world: World) -> None:
    world.truststore.publish(b"")
    world.now -= timedelta(minutes=1)
    world.step()
    assert world.proxy.lets_in() == set()


def test_a_trust_store_that_is_no_pem_stops_the_follower_before_the_proxy_hears_of_it(world: World) -> None:
    world.truststore.publish(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    world.now += timedelta(seconds=news.TRUST_POLL_SECONDS)
    with pytest.raises(InvalidInput, match="trust store"):
        world.step()
    assert world.proxy.anchors == BUNDLE


def test_a_trust_store_that_was_extended_is_told(world: World) -> None:
    world.truststore.publish(BUNDLE + BUNDLE)
    world.now += timedelta(seconds=news.TRUST_POLL_SECONDS)
    world.step()
    assert world.proxy.anchors == BUNDLE + BUNDLE


def test_the_log_gives_the_reason_of_who_is_refused_from_the_first_day() -> None:
    """A certificate the policy does not admit is in the table all the same, under its own reason."""
    world = World(Policy(frozenset({"prod"})))
    world.enrol("acme")
    world.settle()
    fingerprint = world.enrol("guest", environment="test")
    world.settle()
    assert world.proxy.acting[fingerprint].reason is Reason.ENVIRONMENT_NOT_ADMITTED


def test_the_log_gives_the_new_reason_of_who_was_refused_before(world: World) -> None:
    world.suspend("acme")
    world.enrol("beta")
    world.settle()
    world.set_client("acme", ClientStatus.REVOKED)
    world.settle()
    assert world.proxy.acting[acme(world)].reason is Reason.CLIENT_REVOKED


def test_what_the_proxy_refuses_is_raised(world: World) -> None:
    world.proxy.refuses = True
    with pytest.raises(GatewayFailed):
        world.step()
