"""Two gateways on one PostgreSQL: what is decided for one is decided for both, while the server comes and goes."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from handclasp.authority.revoke import revoke_client
from handclasp.registry.records import RevocationReason
from tests.gateway.callers import Caller
from tests.gateway.deployment import Deployment, Running, now, until
from tests.gateway.load import Load
from tests.gateway.service import Service
from tests.postgresql import Server

#: "a revocation acts on open connections of both within one second"
_WITHIN = 1.0


@dataclass(frozen=True)
class Fleet:
    server: Server
    places: tuple[Deployment, ...]
    running: tuple[Running, ...]
    friend: Caller

    @property
    def at(self) -> Deployment:
        return self.places[0]

    def let_in(self, *callers: Caller) -> None:
        for place in self.places:
            place.let_in(*callers)

    def revoke(self, caller: Caller) -> None:
        revoke_client(
            caller.name, registry=self.at.registry, reason=RevocationReason.KEY_COMPROMISE, **self.at.recorded
        )

    def reports(self) -> bool:
        """Both have said that they serve what the registry holds now."""
        revision = self.at.registry.revision()
        found = [place.reported() for place in self.places]
        return all(each is not None and each.revision == revision and each.silent_for < 15 for each in found)


@pytest.fixture
def fleet(start_postgresql: Callable[[], Server], tmp_path: Path) -> Iterator[Fleet]:
    """With a server of its own, to be stopped."""
    server = start_postgresql()
    grace = timedelta(seconds=3)
    with Service() as service, ExitStack() as stack:
        first = Deployment(tmp_path / "one", service.url, registry=server.create(), registry_grace=grace)
        stack.callback(first.close)
        friend = first.enrol("friend")
        places = (first, first.elsewhere(tmp_path / "two"))
        running = tuple(stack.enter_context(Running(place)) for place in places)
        assert [each.error for each in running] == [None, None]
        made = Fleet(server, places, running, friend)
        until(made.reports, "both report")
        yield made


def test_a_revocation_acts_on_open_connections_of_both_within_a_second(fleet: Fleet) -> None:
    victim = fleet.at.enrol("victim")
    fleet.let_in(victim)
    with ExitStack() as stack:
        opened = [stack.enter_context(place.http1(victim)) for place in fleet.places]
        opened += [stack.enter_context(place.http2(victim)) for place in fleet.places]  # type: ignore[misc]
        assert [each.ask().status for each in opened] == [200] * 4
        fleet.revoke(victim)
        begun = time.monotonic()
        for each in opened:
            while each.ask().status != 403:
                assert time.monotonic() - begun < _WITHIN
    until(fleet.reports, "both report it")


def test_each_tells_what_it_has_seen_and_the_registry_adds_it_up(fleet: Fleet) -> None:
    for place in fleet.places:
        with place.http1(fleet.friend) as connection:
            for _ in range(5):
                assert connection.ask().status == 200

    def told() -> int:
        seen = fleet.at.registry.sighting(fleet.friend.fingerprint)
        return seen.requests if seen else 0

    until(lambda: told() == 10, "told")


def test_a_server_that_is_stopped_and_started_costs_nobody_a_request(fleet: Fleet) -> None:
    victim = fleet.at.enrol("victim")
    fleet.let_in(victim)
    with ExitStack() as stack:
        for place in fleet.places:
            stack.enter_context(Load(place, (fleet.friend,)))
        fleet.server.stop()
        until(lambda: all(each.said for each in fleet.running), "both say that it does not answer")
        fleet.server.start()
        fleet.revoke(victim)
        begun = time.monotonic()
        until(lambda: [place.status(victim) for place in fleet.places] == [403, 403], "refused by both")
        assert time.monotonic() - begun < 3
    until(fleet.reports, "both report again")
    assert [each.error for each in fleet.running] == [None, None]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_stays_away_ends_in_refusal_and_the_fleet_recovers(how: signal.Signals, fleet: Fleet) -> None:
    victim = fleet.at.enrol("victim")
    fleet.let_in(victim)
    with ExitStack() as stack:
        opened = [stack.enter_context(place.http1(fleet.friend)) for place in fleet.places]
        others = [stack.enter_context(place.http1(victim)) for place in fleet.places]
        assert [each.ask().status for each in (*opened, *others)] == [200] * 4
        fleet.server.stop(how)
        away = now()
        until(lambda: [each.ask().status for each in opened] == [403, 403], "both refuse everybody")
        assert now() - away > timedelta(seconds=2)

        fleet.server.start()
        fleet.revoke(victim)
        until(lambda: [each.ask().status for each in opened] == [200, 200], "both let in again")
        until(lambda: [each.ask().status for each in others] == [403, 403], "and the revoked one not", 1)
    until(fleet.reports, "both report again")


def test_one_that_is_gone_is_missed_and_the_other_goes_on(fleet: Fleet) -> None:
    first, second = fleet.places
    fleet.running[1].stop()
    assert second.reported() is None
    assert first.reported() is not None
    assert first.status(fleet.friend) == 200
