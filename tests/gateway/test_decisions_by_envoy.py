"""Envoy does what the decision says, for every kind of certificate, and the access log says why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from handclasp.authority.adopt import Adoption, adopt_client
from handclasp.authority.establish import HierarchyPlan, make_intermediate, make_root
from handclasp.authority.probe import ProbeKind, issue_probe
from handclasp.authority.revoke import revoke_certificate, revoke_client, suspend_client
from handclasp.authorizer.decision import Reason
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import for_key
from handclasp.registry.records import RevocationReason
from tests.gateway.callers import Caller
from tests.gateway.conftest import running_gateway
from tests.gateway.deployment import Deployment, Running, now, until
from tests.gateway.service import Service
from tests.making import Ca, certificate

_HOUR = timedelta(hours=1)

#: who -> the reason the log gives; ALLOWED passes
EXPECTED = {
    "active": Reason.ALLOWED,
    "renewed": Reason.ALLOWED,
    "adopted": Reason.ALLOWED,
    "rsa": Reason.ALLOWED,
    "revoked certificate": Reason.CERTIFICATE_REVOKED,
    "revoked client": Reason.CERTIFICATE_REVOKED,
    "suspended": Reason.CLIENT_SUSPENDED,
    "expired": Reason.EXPIRED,
    "not yet valid": Reason.NOT_YET_VALID,
    "other environment": Reason.ENVIRONMENT_NOT_ADMITTED,
    "unregistered": Reason.UNREGISTERED,
    "unregistered and expired": Reason.PATH_INVALID,
    "for servers only": Reason.PATH_INVALID,
    "rogue": Reason.PATH_INVALID,
    "self-signed": Reason.PATH_INVALID,
    "nobody": Reason.NO_CERTIFICATE,
}


@dataclass(frozen=True)
class Everybody:
    deployment: Deployment
    service: Service
    callers: dict[str, Caller]


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everybody]:
    """A gateway that admits the environment prod, started with half of them and following the rest."""
    with running_gateway(tmp_path_factory.mktemp("everybody"), environments=("prod",)) as guarded:
        made = Everybody(guarded.deployment, guarded.service, _callers(guarded.deployment))
        guarded.deployment.let_in(made.callers["active"], made.callers["renewed"], made.callers["adopted"])
        yield made


def _callers(at: Deployment) -> dict[str, Caller]:
    callers = {
        "active": at.enrol("active"),
        "revoked certificate": at.enrol("lost"),
        "revoked client": at.enrol("gone"),
        "suspended": at.enrol("held"),
        "expired": at.registered("old", (now() - 3 * _HOUR, now() - 2 * _HOUR)),
        "not yet valid": at.registered("young", (now() + 2 * _HOUR, now() + 3 * _HOUR)),
        "other environment": at.enrol("guest", "test"),
        "rsa": at.enrol("rsa", key_algorithm=KeyAlgorithm.RSA2048),
        "unregistered": _unregistered(at),
        "unregistered and expired": _probe(at, ProbeKind.EXPIRED),
        "for servers only": _probe(at, ProbeKind.SERVER_AUTH_ONLY),
        "rogue": _rogue(at),
        "self-signed": _self_signed(at),
        "nobody": at.nobody,
        "adopted": _adopted(at),
    }
    callers["renewed"] = at.renew("lost")
    key_compromise = {"registry": at.registry, "reason": RevocationReason.KEY_COMPROMISE, **at.recorded}
    revoke_certificate("lost", callers["revoked certificate"].serial, **key_compromise)
    revoke_client("gone", **key_compromise)
    suspend_client("held", registry=at.registry, **at.recorded)
    return callers


def _unregistered(at: Deployment) -> Caller:
    path, key = at.issue("stranger")
    return at.caller("stranger", path, key)


def _probe(at: Deployment, kind: ProbeKind) -> Caller:
    probe = issue_probe(kind, **at.ports)
    return at.caller(kind.value, probe.path, probe.key)


def _rogue(at: Deployment) -> Caller:
    """Our names, another's keys: root, intermediate and client, the chain sent along."""
    root = make_root(HierarchyPlan(), now())
    assert root.key is not None
    intermediate = make_intermediate(HierarchyPlan(), root.certificate, root.key, now())
    assert intermediate.key is not None
    key = generate(KeyAlgorithm.P256)
    authority = IssuingAuthority(intermediate.certificate, intermediate.key)
    name = at.issue("active")[0][0].subject
    made = issue(prepare(for_key(key), CLIENT, authority, subject=name, now=now()), authority)
    return at.caller("rogue", (made, intermediate.certificate, root.certificate), key)


def _self_signed(at: Deployment) -> Caller:
    key = generate(KeyAlgorithm.P256)
    return at.caller("self-signed", (certificate("active", of=key, not_after=now() + _HOUR),), key)


def _adopted(at: Deployment) -> Caller:
    """As operators made them with OpenSSL: no extended key usage, no SAN, no identifiers."""
    issuer = at.signing()
    key = generate(KeyAlgorithm.P256)
    made = certificate(
        "Prod-NextJs-Client", Ca(issuer.authority.certificate, issuer.authority.key), of=key, not_after=now() + _HOUR
    )
    adopt_client(Adoption("adopted", "prod", "nextjs", None, None), made, registry=at.registry, **at.recorded)
    return at.caller("adopted", (made, *issuer.path), key)


def test_everybody_is_here(everybody: Everybody) -> None:
    assert set(everybody.callers) == set(EXPECTED)


@pytest.mark.parametrize("who", EXPECTED)
def test_a_caller_gets_what_the_decision_says(who: str, everybody: Everybody) -> None:
    at, caller = everybody.deployment, everybody.callers[who]
    expected = 200 if EXPECTED[who] is Reason.ALLOWED else 403
    with at.http1(caller) as one, at.http2(caller) as two:
        assert [one.ask().status, two.ask().status, one.ask().status] == [expected] * 3


def test_the_access_log_says_who_with_which_certificate_and_why(everybody: Everybody) -> None:
    at = everybody.deployment
    for who, caller in everybody.callers.items():
        name = who.replace(" ", "-")
        with at.http1(caller) as connection:
            connection.ask(f"GET /log/{name}?secret=1 HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    until(lambda: len([line for line in at.log() if "/log/" in line.get("path", "")]) == len(EXPECTED), "all logged")

    lines = {line["path"].removeprefix("/log/"): line for line in at.log() if "/log/" in line.get("path", "")}
    for who, caller in everybody.callers.items():
        line, reason = lines[who.replace(" ", "-")], EXPECTED[who]
        allowed = reason is Reason.ALLOWED
        assert (line["decision"], line["reason"]) == ("allow" if allowed else "deny", reason.value), who
        assert line["status"] == (200 if allowed else 403)
        assert line.get("serial", "").lstrip("0") == caller.serial.lstrip("0")
        assert line.get("fingerprint", "") == caller.fingerprint
        assert ("client_id" in line) == allowed
    assert lines["active"]["client_id"] == "active"
    assert lines["renewed"]["client_id"] == "lost"
    assert "secret" not in "".join(map(str, at.log()))


def test_a_killed_certificate_is_logged_with_the_kill_s_reason(everybody: Everybody) -> None:
    at = everybody.deployment
    caller = at.enrol("killed")
    at.let_in(caller)
    suspend_client("killed", registry=at.registry, **at.recorded)
    until(lambda: at.status(caller) == 403, "killed")
    with at.http1(caller) as connection:
        connection.ask(b"GET /killed HTTP/1.1\r\nhost: localhost\r\n\r\n")
    until(lambda: any(line.get("path") == "/killed" for line in at.log()), "logged")
    lines = [line for line in at.log() if line.get("path") == "/killed"]
    [line] = lines
    assert (line["decision"], line["reason"]) == ("deny", "client_suspended")
    assert line["fingerprint"] == caller.fingerprint


def test_a_gateway_that_starts_anew_decides_the_same(everybody: Everybody, tmp_path: Path) -> None:
    """What the first learnt step by step, the second reads at once."""
    at = everybody.deployment
    second = at.beside(tmp_path)
    with Running(second) as running:
        assert running.error is None
        for who, caller in everybody.callers.items():
            assert second.status(caller) == (200 if EXPECTED[who] is Reason.ALLOWED else 403), who


@pytest.mark.parametrize(
    ("what", "request_line", "status"),
    [
        ("a path that hides a slash", b"GET /error%2f1 HTTP/1.1", 400),
        ("an upgrade", b"GET /error/2 HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket", 403),
        ("a header that hides a dash", b"GET /error/3 HTTP/1.1\r\nx_client_id: evil", 400),
    ],
)
def test_what_is_no_request_to_forward_is_logged_once_as_an_error(
    what: str, request_line: bytes, status: int, everybody: Everybody
) -> None:
    at = everybody.deployment
    before = len(at.log())
    with at.http1(everybody.callers["active"]) as connection:
        assert connection.ask(request_line + b"\r\nhost: localhost\r\n\r\n").status == status
    until(lambda: len(at.log()) > before, "logged")
    [line] = at.log()[before:]
    assert (line["decision"], line["reason"], line["status"]) == ("deny", "error", status)
