"""A gateway tells the registry that it lives, what it really serves, and whom it has seen: each request once."""

import os
import signal
import socket
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from handclasp.authority.revoke import revoke_client, suspend_client
from handclasp.errors import RegistryBusy
from handclasp.gateway import report
from handclasp.registry.fleet import Gateway
from handclasp.registry.port import Registry
from handclasp.registry.records import RevocationReason
from tests.gateway.away import Line
from tests.gateway.callers import Caller, Closed
from tests.gateway.conftest import Guarded, running_gateway
from tests.gateway.deployment import Deployment, Running, until
from tests.gateway.terminal import Terminal


def _requests(at: Deployment, caller: Caller) -> int:
    seen = at.registry.sighting(caller.fingerprint)
    return seen.requests if seen else 0


def _refusals(at: Deployment) -> dict[tuple[str, str], int]:
    return {(each.fingerprint, each.reason): each.requests for each in at.registry.refusals()}


def _ask(at: Deployment, caller: Caller, times: int) -> None:
    with at.http1(caller) as connection:
        for _ in range(times):
            connection.ask()


def test_who_was_let_in_and_how_often_arrives_in_the_registry(own: Guarded) -> None:
    at = own.deployment
    before = at.registry.now()
    _ask(at, own.friend, 7)
    until(lambda: _requests(at, own.friend) == 7, "told")
    seen = at.registry.sighting(own.friend.fingerprint)
    assert seen is not None
    assert before - 1 <= seen.last_seen_at <= at.registry.now()

    _ask(at, own.friend, 2)
    until(lambda: _requests(at, own.friend) == 9, "told again")


def test_refusals_arrive_with_their_reason(own: Guarded) -> None:
    at = own.deployment
    suspend_client("friend", registry=at.registry, **at.recorded)
    until(lambda: at.status(own.friend) == 403, "suspended")
    path, key = at.issue("unheard-of")
    for each in (at.nobody, at.caller("unheard-of", path, key)):
        assert at.status(each) == 403
    wanted = {(own.friend.fingerprint, "client_suspended"), ("", "no_certificate"), ("", "unregistered")}
    until(lambda: wanted <= _refusals(at).keys(), "told")
    assert _refusals(at)["", "no_certificate"] == 1


def test_a_refused_handshake_is_counted_and_the_gateway_s_own_questions_are_not(tmp_path: Path) -> None:
    with running_gateway(tmp_path, refusal="handshake") as strict:
        at = strict.deployment
        until(lambda: at.reported() is not None, "reports")
        for _ in range(3):
            with pytest.raises(Closed), at.http1(at.nobody) as connection:
                connection.ask()
        until(lambda: _refusals(at).get(("", "handshake")) == 3, "told")
        # It asks itself with every heartbeat.
        moment = at.registry.revision()
        at.enrol("another")
        until(lambda: (at.reported() or _missing()).revision > moment, "reports what it serves")
        assert _refusals(at) == {("", "handshake"): 3}
        assert all(line["reason"] in {"handshake", "allowed"} for line in at.log())


def test_a_report_says_who_it_is_and_how_it_is_reached(own: Guarded) -> None:
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    found = at.reported() or _missing()
    assert found.gateway_id == f"{socket.gethostname()}:{at.port}"
    assert found.address == f"127.0.0.1:{at.port}"
    assert found.server_name == "localhost"
    assert found.environments is None
    assert found.trust == sha256(at.truststore.read() or b"").hexdigest()
    assert found.server_issuer == at.signing().record.issuer_id
    assert abs(found.awake_since - at.registry.now()) < 60


def test_a_report_s_revision_is_true_only_when_it_acts(own: Guarded) -> None:
    """Whoever was revoked in a revision that is reported is refused, and who was registered in it is let in."""
    at = own.deployment
    victims = [at.enrol(f"victim-{number}") for number in range(4)]
    at.let_in(*victims)
    until(lambda: at.reported() is not None, "reports")
    for number, victim in enumerate(victims):
        with at.http1(victim) as connection:
            assert connection.ask().status == 200
            if number % 2:
                newcomer = at.enrol(f"newcomer-{number}")
            revoke_client(victim.name, registry=at.registry, reason=RevocationReason.SUPERSEDED, **at.recorded)
            revision = at.registry.revision()
            until(lambda revision=revision: (at.reported() or _missing()).revision >= revision, "reported")  # type: ignore[misc]
            assert connection.ask().status == 403
            if number % 2:
                assert at.status(newcomer) == 200


def test_the_digest_of_the_trust_anchors_is_reported_when_they_act(own: Guarded) -> None:
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    longer = (at.truststore.read() or b"") + b"# one more line\n"
    at.truststore.publish(longer)
    at.enrol("anybody")
    until(lambda: (at.reported() or _missing()).trust == sha256(longer).hexdigest(), "reported")


def test_who_has_nothing_to_say_says_that_it_lives(own: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "HEARTBEAT_SECONDS", 0.5)
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    until(lambda: (at.reported() or _missing()).silent_for > 0.3, "time passes")
    until(lambda: (at.reported() or _missing()).silent_for < 0.2, "reports again")


def test_who_is_stopped_says_goodbye_and_leaves_no_request_uncounted(own: Guarded) -> None:
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    _ask(at, own.friend, 5)
    own.running.stop()
    assert at.reported() is None
    assert _requests(at, own.friend) == 5


def test_a_log_that_is_rotated_loses_no_request(own: Guarded) -> None:
    at = own.deployment
    log = at.state / "gateway" / "access.log"
    _ask(at, own.friend, 3)
    log.rename(log.with_name("access.log.1"))
    _ask(at, own.friend, 3)
    os.kill(own.running.envoy_pid, signal.SIGUSR1)
    until(log.exists, "Envoy has opened its log anew")
    _ask(at, own.friend, 3)
    until(lambda: _requests(at, own.friend) == 9, "told")


def test_a_gateway_that_is_killed_is_missed_and_counts_nothing_twice_when_it_is_back(own: Guarded) -> None:
    """At whatever moment: before, while and after it tells what it has seen."""
    own.running.stop()
    at = own.deployment
    asked = _requests(at, own.friend)
    arguments = ("gateway", "run", "--upstream", own.service.url, "--listen", at.settings.gateway.listen)
    for number in range(4):
        with Terminal(at.state, *arguments, folder=at.folder / f"terminal-{number}") as gateway:
            gateway.serves()
            at.let_in(own.friend)
            _ask(at, own.friend, 3)
            # The log is flushed twice a second: what is not in it when Envoy dies was never written down.
            if number != 1:
                until(lambda before=asked: _logged(at, own.friend) >= before + 4, "logged")  # type: ignore[misc]
            gateway.stop(signal.SIGKILL)
        asked = _logged(at, own.friend)
        assert at.reported() is not None or number < 2
    with Running(at):
        until(lambda: _requests(at, own.friend) == asked, "all that was logged is told")
        _ask(at, own.friend, 1)
        until(lambda: _requests(at, own.friend) > asked, "told")
        assert _requests(at, own.friend) == _logged(at, own.friend)


def _logged(at: Deployment, caller: Caller) -> int:
    return sum(line["decision"] == "allow" and line["fingerprint"] == caller.fingerprint for line in at.log())


def test_a_gateway_whose_listener_does_not_answer_is_silent(own: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(report, "SILENT_SECONDS", 2.0)
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    envoy = own.running.envoy_pid
    os.kill(envoy, signal.SIGSTOP)
    try:
        until(lambda: (at.reported() or _missing()).silent_for > 3, "silent")
        until(lambda: any("does not answer; others are told" in line for line in own.running.said), "said")
    finally:
        os.kill(envoy, signal.SIGCONT)
    until(lambda: (at.reported() or _missing()).silent_for < 1, "reports again")


def test_a_writer_that_takes_its_time_delays_reports_and_nothing_else(own: Guarded) -> None:
    at = own.deployment
    until(lambda: at.reported() is not None, "reports")
    with at.registry.change():
        _ask(at, own.friend, 50)
        until(lambda: _logged(at, own.friend) == 50, "logged")
        assert own.running.error is None
    until(lambda: _requests(at, own.friend) == 50, "told")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RegistryBusy("registry was held by another process for 60 seconds"), "was held by another process"),
        (ValueError("nobody thought of that"), "ValueError: nobody thought of that"),
    ],
)
def test_a_report_that_fails_is_said_once_tried_again_and_never_ends_the_gateway(
    error: Exception, words: str, deployment: Deployment
) -> None:
    at = deployment
    friend = at.enrol("friend")
    line = Line(error=error)
    opened = count()

    def only_the_writer(registry: Registry) -> Registry:
        return line.between(registry) if next(opened) else registry

    with Running(at, between=only_the_writer) as running:
        until(lambda: at.reported() is not None, "reports")
        with line.cut():
            at.let_in(friend)
            until(lambda: len(line.reached) >= 3, "tried again")
            assert at.status(friend) == 200
            assert len([said for said in running.said if words in said]) == 1
        until(lambda: _requests(at, friend) == _logged(at, friend) >= 2, "told")
        assert running.error is None
        assert len(running.said) == 1


def _missing() -> Gateway:
    raise AssertionError("the gateway has not reported")
