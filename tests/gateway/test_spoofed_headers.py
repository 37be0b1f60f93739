"""Who a caller is, the service hears from the gateway alone: exactly once, whatever the caller says of itself."""

import pytest

from handclasp.gateway.identity_headers import PREFIX, XFCC
from tests.gateway.callers import Closed
from tests.gateway.conftest import Guarded
from tests.gateway.service import header, headers

_IDENTITY = [
    "x-client-id",
    "x-client-environment",
    "x-client-application",
    "x-client-serial",
    "x-client-fingerprint",
    "x-client-subject",
    "x-client-issuer",
    "x-client-not-after",
    XFCC,
]

#: What a caller may write into a request's head, line by line.
SPOOFS = {
    "plain": b"x-client-id: evil",
    "upper case": b"X-CLIENT-ID: evil",
    "mixed case": b"X-Client-Id: evil\r\nx-CLIENT-fingerprint: evil",
    "twice": b"x-client-id: evil\r\nx-client-id: evil",
    "all of them": "\r\n".join(f"{name}: evil" for name in _IDENTITY).encode(),
    "a name we do not use yet": b"x-client-: evil\r\nx-client-role: evil",
    "empty": b"x-client-id:\r\nx-client-environment:    ",
    "nominated by connection": b"connection: keep-alive, x-client-id, x-client-fingerprint\r\nx-client-id: evil",
    "nominated by te": b"te: trailers, x\r\nconnection: te, x-client-id\r\nx-client-id: evil",
    "forwarded certificate": b"X-Forwarded-Client-Cert: Hash=evil\r\nx-forwarded-client-cert: Hash=evil",
    "forwarded address": b"x-forwarded-for: 6.6.6.6, evil\r\nX-Real-IP: 6.6.6.6 evil\r\nforwarded: for=evil",
    "forwarded rest": b"x-forwarded-host: evil\r\nx-forwarded-proto: evil\r\nx-forwarded-port: evil",
    "orders to the proxy": b"x-envoy-upstream-rq-timeout-ms: 1\r\nX-Envoy-Original-Path: /evil\r\nx-envoy-evil: evil",
}
#: What is no header at all, or hides one: refused rather than guessed at.
REFUSED = {
    "underscore": b"x_client_id: evil",
    "one underscore": b"x-client_id: evil",
    "upper case underscore": b"X_CLIENT-ID: evil",
    "space before the colon": b"x-client-id : evil",
    "folded": b"x-other: a\r\n x-client-id: evil",
    "folded with a tab": b"x-other: a\r\n\tx-client-id: evil",
    "bare carriage return": b"x-other: a\rx-client-id: evil",
    "NUL": b"x-client-id\x00: evil",
    "space in front of the first": b" x-client-id: evil",
}
_HEAD = b"GET /spoof HTTP/1.1\r\nhost: localhost\r\n%s\r\n\r\n"


def _identity_is_true(guarded: Guarded, request: bytes) -> None:
    friend = guarded.friend
    for name in _IDENTITY:
        assert len(header(request, name)) == 1, name
    assert header(request, "x-client-id") == ["friend"]
    assert header(request, "x-client-fingerprint") == [friend.fingerprint]
    assert header(request, "x-client-serial") == [friend.serial]
    assert header(request, XFCC)[0].startswith(f"Hash={friend.fingerprint};")
    ours = {name.lower() for name, _ in headers(request) if name.lower().replace("_", "-").startswith(PREFIX)}
    assert ours == set(_IDENTITY) - {XFCC}
    assert b"evil" not in request.lower()


@pytest.mark.parametrize("what", SPOOFS)
def test_a_spoofed_header_is_removed_from_an_http1_request(what: str, guarded: Guarded) -> None:
    with guarded.deployment.http1(guarded.friend) as connection:
        assert connection.ask(_HEAD % SPOOFS[what]).status == 200
    _identity_is_true(guarded, guarded.service.last)


@pytest.mark.parametrize("what", [what for what in SPOOFS if "nominated" not in what])
def test_a_spoofed_header_is_removed_from_an_http2_request(what: str, guarded: Guarded) -> None:
    lines = SPOOFS[what].decode().lower().split("\r\n")
    with guarded.deployment.http2(guarded.friend) as connection:
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        assert connection.ask(*fields).status == 200
    _identity_is_true(guarded, guarded.service.last)


@pytest.mark.parametrize("what", REFUSED)
def test_what_hides_a_header_is_refused_before_the_service_hears_of_it(what: str, guarded: Guarded) -> None:
    before = len(guarded.service.requests)
    with guarded.deployment.http1(guarded.friend) as connection:
        answer = connection.ask(_HEAD % REFUSED[what])
    if answer.status == 200:  # unfolded into one value of another header, as RFC 9112 5.2 allows
        _identity_is_true_but_for(guarded, "x-other")
    else:
        assert answer.status == 400
        assert len(guarded.service.requests) == before


def _identity_is_true_but_for(guarded: Guarded, name: str) -> None:
    request = guarded.service.last
    lines = [line for line in request.split(b"\r\n") if not line.lower().startswith(name.encode() + b":")]
    _identity_is_true(guarded, b"\r\n".join(lines))


def test_a_trailer_of_a_chunked_http1_request_does_not_arrive(guarded: Guarded) -> None:
    request = (
        b"POST /spoof HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ntrailer: x-client-id\r\n\r\n"
        b"5\r\nhello\r\n0\r\nx-client-id: evil\r\nX-Client-Role: evil\r\nx-other: evil\r\n\r\n"
    )
    with guarded.deployment.http1(guarded.friend) as connection:
        assert connection.ask(request).status == 200
    _identity_is_true(guarded, guarded.service.last)
    assert guarded.service.last.endswith(b"\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("name", ["x-client-id", "x-client-role", XFCC])
def test_a_trailer_of_an_http2_request_does_not_arrive(name: str, guarded: Guarded) -> None:
    with guarded.deployment.http2(guarded.friend) as connection:
        answer = connection.ask(method="POST", body=b"hello", trailers=[(name, "evil"), ("x-other", "evil")])
    assert answer.status == 200
    _identity_is_true(guarded, guarded.service.last)


def test_a_trailer_with_an_underscore_ends_the_http2_request(guarded: Guarded) -> None:
    before = len(guarded.service.requests)
    with guarded.deployment.http2(guarded.friend) as connection, pytest.raises(Closed):
        connection.ask(method="POST", body=b"hello", trailers=[("x_client_id", "evil")])
    assert not any(b"evil" in request for request in guarded.service.requests[before:])


def test_an_upper_case_name_in_http2_is_a_protocol_error(guarded: Guarded) -> None:
    before = len(guarded.service.requests)
    with guarded.deployment.http2(guarded.friend) as connection:
        assert connection.reset(("X-Client-Id", "evil"))
    assert len(guarded.service.requests) == before


def test_behind_proxies_of_ours_their_word_on_the_address_counts_and_the_caller_s_on_itself_does_not(
    strict: Guarded,
) -> None:
    """`strict` trusts one proxy in front."""
    with strict.deployment.http1(strict.friend) as connection:
        head = _HEAD % b"x-forwarded-for: 192.0.2.7\r\nx-client-id: evil\r\nx-forwarded-client-cert: evil"
        assert connection.ask(head).status == 200
    _identity_is_true(strict, strict.service.last)
    assert header(strict.service.last, "x-forwarded-for")[0].startswith("192.0.2.7")


def test_the_answer_does_not_say_which_proxy_gave_it(guarded: Guarded) -> None:
    with guarded.deployment.http1(guarded.friend) as connection:
        answer = connection.ask()
    assert answer.header("server") == ["service"]
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-envoy")]
