"""What cannot be tested is skipped with its reason, and a server nobody vouches for is not talked to."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.verify.acceptance import run_acceptance
from handclasp.verify.bypass import bypass
from handclasp.verify.credential import Credential
from handclasp.verify.result import Result, Verdict, all_passed
from handclasp.verify.spoofing import spoofing
from handclasp.verify.target import Target
from tests.verify.conftest import Deployment, deploy, named, now
from tests.verify.gateway import Behaviour, anybody, by_registry, validated_only
from tests.verify.listener import answering, closing, listening, over_tls, server_context, silent

NEEDS_CA = {"expired", "not_yet_valid", "server_auth_only", "unregistered", "revoked"}


def _by_name(results: list[Result]) -> dict[str, Result]:
    return {result.check: result for result in results}


def test_without_the_ca_its_checks_are_skipped_and_say_so(deployment: Deployment) -> None:
    with deployment.serving(Behaviour(validated_only)) as endpoint:
        results = _by_name(run_acceptance(endpoint, None, now))
    assert named(results, Verdict.SKIPPED) >= NEEDS_CA
    assert all("needs the CA" in results[check].seen for check in NEEDS_CA)
    assert all_passed(results.values())


def test_a_ca_that_is_not_the_endpoints_issues_no_probe(deployment: Deployment) -> None:
    other = deploy("Other Root")
    before = other.registry.revision()
    with deployment.serving(Behaviour(validated_only)) as endpoint:
        results = _by_name(run_acceptance(endpoint, other.own, now))
    assert all("CN=Other Root) is not the one in --cacert" in results[check].seen for check in NEEDS_CA)
    assert named(results, Verdict.SKIPPED) >= NEEDS_CA
    assert other.registry.revision() == before


def test_a_ca_that_registered_the_caller_is_the_endpoints_whoever_vouches_for_the_server(
    deployment: Deployment,
) -> None:
    """As with API Gateway, where a public CA issues the server's certificate."""
    public = deploy("Public Root")
    gateway = replace(deployment, server=public.server).gateway(Behaviour(by_registry(deployment.registry)))
    with gateway:
        endpoint = replace(deployment.endpoint(gateway.port), anchors=(public.root,))
        results = _by_name(run_acceptance(endpoint, deployment.own, now))
    assert {results[check].verdict for check in NEEDS_CA} == {Verdict.PASSED}


def test_a_ca_whose_key_is_elsewhere_issues_no_probe(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str, passphrase: bytes | None = None) -> PrivateKey:
        raise KeyUnavailable(f"no key named {name}")

    monkeypatch.setattr(deployment.custody, "signer", gone)
    results = deployment.results(Behaviour(validated_only))
    assert "no key named intermediate" in results["expired"].seen
    assert named(results, Verdict.SKIPPED) >= NEEDS_CA


def test_a_ca_made_this_second_has_no_past_to_expire_in(deployment: Deployment) -> None:
    begin = deployment.intermediate.not_valid_before_utc
    with deployment.serving(Behaviour(validated_only)) as endpoint:
        results = _by_name(run_acceptance(endpoint, deployment.own, lambda: begin))
    assert results["expired"].verdict is Verdict.SKIPPED
    assert "no such probe could be issued" in results["expired"].seen


def test_a_reserved_client_that_may_not_have_a_certificate_skips_the_revocation(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise KeyUnavailable("the key has gone")

    monkeypatch.setattr("handclasp.verify.revocation.issue_revocable", refused)
    assert deployment.results(Behaviour(by_registry(deployment.registry)))["revoked"].seen == (
        "no certificate to revoke: the key has gone"
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait ten seconds for a certificate that will never be accepted."""
    monkeypatch.setattr("handclasp.verify.revocation.ACCEPTED_WITHIN_S", 0.2)


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    yield port


def test_an_endpoint_that_is_not_there_fails_and_nothing_else_is_tried(deployment: Deployment) -> None:
    with _free_port() as port:
        results = deployment.verify(deployment.endpoint(port))
    assert named(results, Verdict.FAILED) == {"server"}
    assert named(results, Verdict.PASSED) == set()
    assert "connection refused" in results["server"].seen


def test_a_server_that_cacert_does_not_verify_stops_everything(deployment: Deployment) -> None:
    stranger = deploy("Strange Root")
    before = deployment.registry.revision()
    with stranger.gateway(Behaviour(anybody, requires=False, cut=False)) as gateway:
        results = deployment.verify(deployment.endpoint(gateway.port))
    assert "not verified by --cacert" in results["server"].seen
    assert named(results, Verdict.FAILED) == {"server"}
    assert {result.verdict for check, result in results.items() if check != "server"} == {Verdict.SKIPPED}
    assert (gateway.presented, gateway.served) == ([], 0)
    assert deployment.registry.revision() == before


def test_a_pair_that_is_none_is_never_taken_for_a_refusal(deployment: Deployment) -> None:
    mixed = Credential(deployment.client.chain, generate(KeyAlgorithm.P256))
    with deployment.serving(Behaviour(validated_only)) as endpoint:
        results = deployment.verify(replace(endpoint, credential=mixed))
    assert named(results, Verdict.FAILED) == {"server"}
    assert "key values mismatch" in results["server"].seen.lower().replace("_", " ")


def test_a_handshake_that_never_completes_fails_the_valid_certificate(deployment: Deployment, impatient: None) -> None:
    with listening(closing) as port:
        results = deployment.verify(deployment.endpoint(port))
    assert results["server"].verdict is Verdict.SKIPPED
    assert results["valid"].verdict is Verdict.FAILED
    assert named(results, Verdict.PASSED) == set()
    assert "the valid certificate is refused too" in results["no_certificate"].seen
    assert not all_passed(results.values())


def test_an_obsolete_tls_version_that_is_spoken_fails(deployment: Deployment, impatient: None) -> None:
    """Against a server that speaks it, unless the library here cannot; never passed."""
    context = server_context(deployment.server)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with listening(over_tls(context, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))) as port:
        results = deployment.verify(deployment.endpoint(port))
    assert results["tls_1_1"].verdict in {Verdict.FAILED, Verdict.SKIPPED}
    assert results["tls_1_0"].verdict in {Verdict.PASSED, Verdict.SKIPPED}
    assert results["valid"].verdict is Verdict.PASSED


def _answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (_answer("200 OK", b"hello"), Verdict.FAILED),
        (_answer("404 Not Found", b"nothing here"), Verdict.FAILED),
        (_answer("404 Not Found", b'{"message":"Nope"}'), Verdict.FAILED),
        (_answer("404 Not Found", b'["Not Found"]'), Verdict.FAILED),
        (_answer("500 Oops", b'{"message":"Not Found"}'), Verdict.FAILED),
        (_answer("401 Unauthorized", b""), Verdict.FAILED),
        (b"", Verdict.FAILED),
        (_answer("403 Forbidden", b'{"message":"Forbidden"}'), Verdict.PASSED),
        (_answer("404 Not Found", b'{"message":"Not Found"}'), Verdict.PASSED),
        (_answer("404 Not Found", b'{"message":"Forbidden"}'), Verdict.PASSED),
    ],
)
def test_a_way_around_is_closed_only_by_the_answers_of_closed_doors(
    deployment: Deployment, answer: bytes, verdict: Verdict
) -> None:
    with listening(answering(answer)) as port:
        endpoint = replace(deployment.endpoint(1), bypass=Target("http", "127.0.0.1", port, "/"))
        assert bypass(endpoint).verdict is verdict


def test_a_way_around_where_nothing_listens_is_closed(deployment: Deployment) -> None:
    with _free_port() as port:
        endpoint = replace(deployment.endpoint(1), bypass=Target("http", "127.0.0.1", port, "/"))
        assert bypass(endpoint).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("error", "verdict"), [(TimeoutError(), Verdict.PASSED), (socket.gaierror(-2, "unknown"), Verdict.FAILED)]
)
def test_a_way_around_that_never_answers_is_closed_and_one_that_does_not_resolve_is_not(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, error: OSError, verdict: Verdict
) -> None:
    def connect(*_: object) -> socket.socket:
        raise error

    monkeypatch.setattr("socket.create_connection", connect)
    assert bypass(replace(deployment.endpoint(1), bypass=Target("http", "away.test", 80, "/"))).verdict is verdict


@pytest.mark.parametrize("vouched", [True, False])
def test_a_way_around_over_tls_is_open_whoever_vouches_for_it(deployment: Deployment, vouched: bool) -> None:
    server = deployment.server if vouched else deploy("Strange Root").server
    with listening(over_tls(server_context(server), answering(_answer("200 OK", b"hello")))) as port:
        judged = bypass(replace(deployment.endpoint(1), bypass=Target("https", "localhost", port, "/")))
    assert judged.verdict is Verdict.FAILED
    assert ("HTTP 200" in judged.seen) == vouched


def test_a_door_that_opens_and_says_nothing_is_an_open_door(deployment: Deployment) -> None:
    with listening(silent) as port:
        endpoint = replace(deployment.endpoint(1), timeout=0.2, bypass=Target("http", "127.0.0.1", port, "/"))
        assert bypass(endpoint).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("arrives", "verdict"),
    [
        ({"X-Client-Id": "demo", "x-client-serial": ["1a"]}, Verdict.PASSED),
        ({"X-CLIENT-ID": "spoofed-by-handclasp-verify"}, Verdict.FAILED),
        ({"X_Client_Id": "spoofed-by-handclasp-verify"}, Verdict.FAILED),
        ({"x-client-id": ["demo", "spoofed-by-handclasp-verify"]}, Verdict.FAILED),
        ({"x-client-id": "demo, spoofed-by-handclasp-verify"}, Verdict.FAILED),
        ("none", Verdict.SKIPPED),
    ],
)
def test_a_made_up_identity_that_reaches_the_service_in_any_spelling_fails(
    deployment: Deployment, arrives: object, verdict: Verdict
) -> None:
    answer = _answer("200 OK", json.dumps({"headers": arrives}).encode())
    with listening(over_tls(server_context(deployment.server), answering(answer))) as port:
        assert spoofing(deployment.endpoint(port)).verdict is verdict


def test_underscores_may_be_refused_outright(deployment: Deployment) -> None:
    def serve(connection: socket.socket) -> None:
        bad = b"x_client_id" in connection.recv(65_536)
        connection.sendall(_answer("400 Bad Request", b"") if bad else _answer("200 OK", b'{"headers": {}}'))

    with listening(over_tls(server_context(deployment.server), serve)) as port:
        judged = spoofing(deployment.endpoint(port))
    assert judged.verdict is Verdict.PASSED
    assert "with underscores refused: HTTP 400" in judged.seen
