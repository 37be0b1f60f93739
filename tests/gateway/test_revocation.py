"""Who is revoked or suspended is refused on its open connections at once, and nobody else notices."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from handclasp.authority.revoke import resume_client, revoke_certificate, revoke_client, suspend_client
from handclasp.registry.records import RevocationReason
from tests.gateway.callers import Caller, Http1, Http2
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, handclasp, until
from tests.gateway.load import Load

#: "refused within one second of `client revoke` returning"
_WITHIN = 1.0
_NAMES = (f"victim-{number}" for number in count())

Refuse = Callable[[Deployment, Caller], object]


def _revoke(at: Deployment, caller: Caller) -> None:
    revoke_client(caller.name, registry=at.registry, reason=RevocationReason.KEY_COMPROMISE, **at.recorded)


def _revoke_one(at: Deployment, caller: Caller) -> None:
    revoke_certificate(
        caller.name, caller.serial, registry=at.registry, reason=RevocationReason.SUPERSEDED, **at.recorded
    )


def _suspend(at: Deployment, caller: Caller) -> None:
    suspend_client(caller.name, registry=at.registry, **at.recorded)


def _command(*words: str) -> Refuse:
    def run(at: Deployment, caller: Caller) -> None:
        done = handclasp(at.state, "client", *words, caller.name)
        assert done.returncode == 0, done.stderr

    return run


#: Each way to refuse a client, the command line as a process of its own among them.
REFUSALS: dict[str, Refuse] = {
    "revoke": _revoke,
    "revoke one certificate": _revoke_one,
    "suspend": _suspend,
    "handclasp client revoke": _command("revoke", "--reason", "keyCompromise"),
    "handclasp client suspend": _command("suspend", "--lock-out", "1"),
}


@contextmanager
def open_connections(at: Deployment, caller: Caller) -> Iterator[list[Http1 | Http2]]:
    """HTTP/1.1 and HTTP/2, each with an answered request behind it."""
    with ExitStack() as stack:
        connections: list[Http1 | Http2] = [
            stack.enter_context(at.http1(caller)),
            stack.enter_context(at.http2(caller)),
        ]
        assert [each.ask().status for each in connections] == [200, 200]
        yield connections


def seconds_until_refused(connections: list[Http1 | Http2]) -> float:
    """From now until every one of them has been refused, each still open."""
    begun = time.monotonic()
    for each in connections:
        while (status := each.ask().status) != 403:
            assert status == 200
            assert time.monotonic() - begun < _WITHIN
    return time.monotonic() - begun


@pytest.mark.parametrize("how", REFUSALS)
def test_a_client_is_refused_on_its_open_connections(how: str, guarded: Guarded) -> None:
    at = guarded.deployment
    victim = at.enrol(next(_NAMES))
    others = (guarded.friend, at.enrol(next(_NAMES)))
    at.let_in(victim, *others)
    with open_connections(at, victim) as connections, Load(at, others):
        REFUSALS[how](at, victim)
        seconds_until_refused(connections)
        assert [each.ask().status for each in connections] == [403, 403]
    assert at.status(victim) == 403


def test_a_resumed_client_is_let_in_again_on_the_connections_it_kept(guarded: Guarded) -> None:
    at = guarded.deployment
    victim = at.enrol(next(_NAMES))
    at.let_in(victim)
    with open_connections(at, victim) as connections, Load(at, (guarded.friend,)):
        for _ in range(3):
            _suspend(at, victim)
            seconds_until_refused(connections)
            resume_client(victim.name, registry=at.registry, **at.recorded)
            until(lambda: [each.ask().status for each in connections] == [200, 200], "let in again", _WITHIN)


def test_revoking_one_certificate_leaves_the_client_its_other(guarded: Guarded) -> None:
    at = guarded.deployment
    old = at.enrol(next(_NAMES))
    new = at.renew(old.name)
    at.let_in(old, new)
    with open_connections(at, old) as connections, Load(at, (new,)):
        _revoke_one(at, old)
        seconds_until_refused(connections)
    assert at.status(new) == 200
