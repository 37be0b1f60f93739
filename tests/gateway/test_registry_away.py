"""A registry that does not answer: what was last known decides for a while, then nobody passes until it is back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handclasp.authority.revoke import revoke_client
from handclasp.authorizer.decision import Reason
from handclasp.errors import RegistryUnavailable
from handclasp.gateway.follow import Follower
from handclasp.gateway.news import ASK_AGAIN_SECONDS, Contact
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.records import RevocationReason
from tests.gateway.away import Line
from tests.gateway.deployment import Deployment, Running, now, until
from tests.gateway.load import Load
from tests.gateway.world import World
from tests.making import NOW

_GRACE = 60.0


class Distant(World):
    """A follower whose registry can go away. A step is a second."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.follower = Follower(
            self.line.between(self.registry),
            self.truststore,
            self.proxy,
            self.policy,
            lambda: self.now,
            lambda: self.elapsed,
            grace=_GRACE,
        )

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds
        self.step()


@pytest.fixture
def world() -> Distant:
    return Distant()


def test_a_registry_that_was_never_there_is_no_registry_to_decide_by(world: Distant) -> None:
    with world.line.cut(), pytest.raises(RegistryUnavailable):
        world.step()


def test_what_was_last_known_decides_for_the_time_of_grace(world: Distant) -> None:
    acme = world.enrol("acme")
    world.settle()
    with world.line.cut():
        world.revoke("acme")
        world.pass_time(_GRACE - 1)
        assert world.follower.contact is Contact.LOST
        assert world.proxy.lets_in() == {acme}


def test_time_goes_on_while_the_registry_is_away(world: Distant) -> None:
    brief = world.enrol("brief", not_after=NOW + timedelta(seconds=20))
    young = world.enrol("young", not_before=NOW + timedelta(seconds=20))
    world.settle()
    with world.line.cut():
        world.pass_time(1)
        world.pass_time(20)
        world.settle()
        assert world.proxy.lets_in() == {young}
        assert world.follower._table.entries[brief].reason is Reason.EXPIRED


def test_after_the_grace_nobody_passes(world: Distant) -> None:
    world.enrol("acme")
    world.settle()
    with world.line.cut():
        world.pass_time(1)
        world.pass_time(_GRACE)
        assert world.follower.contact is Contact.REFUSING
        assert world.proxy.may_let_in() == set()
        assert world.follower.allowed == 0
        assert not world.follower.settled


def test_the_grace_counts_from_the_last_answer_so_that_a_machine_that_slept_for_days_lets_nobody_in(
    world: Distant,
) -> None:
    world.enrol("acme")
    world.settle()
    with world.line.cut():
        world.pass_time(2 * 86_400)
        assert world.follower.contact is Contact.REFUSING
        assert world.proxy.may_let_in() == set()


def test_a_clock_that_is_set_neither_shortens_nor_lengthens_the_grace(world: Distant) -> None:
    acme = world.enrol("acme")
    world.settle()
    with world.line.cut():
        world.now += timedelta(minutes=10)
        world.step()
        assert world.proxy.lets_in() == {acme}
        world.now -= timedelta(minutes=20)
        world.elapsed += _GRACE + 1
        world.step()
        assert world.proxy.lets_in() == set()


@pytest.mark.parametrize("away", [10.0, _GRACE + 10])
def test_what_happened_meanwhile_is_taken_in_before_anybody_passes_again(away: float, world: Distant) -> None:
    acme, beta = world.enrol("acme"), world.enrol("beta")
    world.settle()
    with world.line.cut():
        world.pass_time(1)
        world.pass_time(away)
        world.revoke("acme")
        gamma = world.enrol("gamma")
    world.proxy.told.clear()
    world.pass_time(ASK_AGAIN_SECONDS)
    assert world.follower.contact is Contact.FOLLOWED
    assert world.proxy.told[0] == "kill"
    assert world.proxy.may_let_in() <= {beta, gamma}
    world.settle()
    assert world.proxy.lets_in() == {beta, gamma}
    assert acme not in world.proxy.lets_in()
    assert world.follower.settled


def test_a_registry_that_is_back_with_nothing_new_lifts_the_refusal(world: Distant) -> None:
    acme = world.enrol("acme")
    world.settle()
    with world.line.cut():
        world.pass_time(_GRACE + 1)
        assert world.proxy.lets_in() == set()
    world.pass_time(ASK_AGAIN_SECONDS)
    assert world.proxy.lets_in() == {acme}


@pytest.mark.parametrize("away", [True, False])
def test_a_server_that_comes_back_without_a_certificate_lets_it_in_no_more(away: bool, world: Distant) -> None:
    """A database put back to an earlier state: no list of changes names what is gone from it."""
    earlier = MemoryRegistry()
    earlier.load(world.registry.snapshot())
    forgotten = world.enrol("forgotten")
    world.settle()
    assert world.proxy.lets_in() == {forgotten}
    assert world.registry.revision() > earlier.revision()
    with world.line.cut():
        if away:
            world.pass_time(1)
        world.line.reached[0].registry = earlier
        world.registry = earlier
    if away:  # it may have gone on to any number by now
        for number in range(5):
            world.enrol(f"other-{number}")
    world.pass_time(ASK_AGAIN_SECONDS)
    assert forgotten not in world.proxy.may_let_in()
    world.settle()
    assert world.proxy.lets_in() == world.should_pass()


@pytest.mark.parametrize("calls", range(5))
def test_a_registry_that_goes_away_between_two_questions_is_asked_again(calls: int, world: Distant) -> None:
    """What was half read is not half taken in."""
    world.enrol("acme")
    world.settle()
    world.revoke("acme")
    beta = world.enrol("beta")
    world.line.left = calls
    world.step()
    world.line.left, world.line.is_cut = None, False
    world.pass_time(ASK_AGAIN_SECONDS)
    world.settle()
    assert world.proxy.lets_in() == {beta}
    assert world.follower.revision == world.registry.revision()


def test_a_registry_that_is_away_is_not_asked_at_every_step(world: Distant) -> None:
    world.enrol("acme")
    world.settle()
    world.line.left = 0
    for _ in range(20):
        world.pass_time(ASK_AGAIN_SECONDS / 10)
    assert world.line.left >= -4


def _set(deployment: Deployment, **gateway: Any) -> None:
    deployment.settings = replace(deployment.settings, gateway=replace(deployment.settings.gateway, **gateway))


def test_a_gateway_serves_on_without_its_registry_and_says_so_once(deployment: Deployment) -> None:
    line = Line()
    friend = deployment.enrol("friend")
    with Running(deployment, between=line.between) as running:
        deployment.let_in(friend)
        with line.cut(), Load(deployment, (friend,)):
            until(lambda: any("does not answer" in said for said in running.said), "said")
            assert deployment.status(friend) == 200
            end = now() + timedelta(seconds=2.5)
            until(lambda: now() > end, "some attempts more")
        until(lambda: any("answers again" in said for said in running.said), "said")
        assert len(running.said) == 2
        assert "refusing everybody in 300 s if it is not back" in running.said[0]


@pytest.mark.parametrize("refusal", ["forbidden", "handshake"])
def test_a_gateway_fails_closed_after_the_grace_and_recovers_by_itself(refusal: str, deployment: Deployment) -> None:
    line = Line()
    _set(deployment, registry_grace=timedelta(seconds=2), refusal=refusal)
    friend, victim = deployment.enrol("friend"), deployment.enrol("victim")
    with Running(deployment, between=line.between) as running:
        deployment.let_in(friend, victim)
        until(lambda: deployment.reported() is not None, "reports")
        with deployment.http1(friend) as one, deployment.http2(friend) as two, deployment.http1(victim) as other:
            assert [one.ask().status, two.ask().status, other.ask().status] == [200, 200, 200]
            with line.cut():
                until(lambda: [one.ask().status, two.ask().status] == [403, 403], "refused on open connections")
                assert deployment.status(friend) == 403
                assert running.error is None
                revoke_client(
                    "victim",
                    registry=deployment.registry,
                    reason=RevocationReason.KEY_COMPROMISE,
                    **deployment.recorded,
                )
                newcomer = deployment.enrol("newcomer")
            while one.ask().status != 200:
                assert other.ask().status == 403
            assert [two.ask().status, other.ask().status] == [200, 403]
            deployment.let_in(newcomer)
        until(lambda: "registry_unavailable" in {each["reason"] for each in deployment.log()}, "the log says why")
        assert any("everybody is refused until it is back" in said for said in running.said)
        revision = deployment.registry.revision()
        until(lambda: (found := deployment.reported()) is not None and found.revision == revision, "reports again")
        until(lambda: deployment.registry.sighting(newcomer.fingerprint) is not None, "what was seen is told")


def test_what_was_seen_while_the_registry_was_away_is_told_once(deployment: Deployment) -> None:
    """The line is cut before, in, and after a commit whose word is lost."""
    line = Line()
    friend = deployment.enrol("friend")
    with Running(deployment, between=line.between):
        deployment.let_in(friend)
        until(lambda: deployment.reported() is not None, "reports")
        with deployment.http1(friend) as connection:
            for left in range(12):
                line.left = left
                for _ in range(5):
                    assert connection.ask().status == 200
                until(lambda: line.is_cut, "cut")
                line.left, line.is_cut = None, False

        def told() -> int:
            seen = deployment.registry.sighting(friend.fingerprint)
            return seen.requests if seen else 0

        until(lambda: _logged(deployment, friend.fingerprint) == told() >= 60, "told")
        end = now() + timedelta(seconds=1.5)
        until(lambda: now() > end, "another report")
        assert told() == _logged(deployment, friend.fingerprint)


def _logged(deployment: Deployment, fingerprint: str) -> int:
    return sum(each["decision"] == "allow" and each["fingerprint"] == fingerprint for each in deployment.log())
