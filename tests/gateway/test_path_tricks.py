"""One spelling of a path reaches the service, so that a rule there about a prefix means what it says."""

import pytest

from tests.gateway.callers import Answer, Closed
from tests.gateway.conftest import Guarded

#: what is asked for -> what the service is asked for, or the status that refuses it
PATHS: dict[bytes, bytes | int] = {
    b"/orders/1": b"/orders/1",
    b"/orders/1?a=/../b&c=%2f": b"/orders/1?a=/../b&c=%2f",
    b"/orders/../admin": b"/admin",
    b"/orders/./1": b"/orders/1",
    b"/../../admin": b"/admin",
    b"/orders/%2e%2e/admin": b"/admin",
    b"/orders/%2E%2E/admin": b"/admin",
    b"/orders/.%2e/admin": b"/admin",
    b"/orders/..\\admin": b"/admin",
    b"/orders\\..\\admin": b"/admin",
    b"//admin": b"/admin",
    b"/orders///1": b"/orders/1",
    b"/orders%2f..%2fadmin": 400,
    b"/orders%2F1": 400,
    b"/orders%5c1": 400,
    b"/orders/%252e%252e/admin": b"/orders/%252e%252e/admin",
    b"/orders/..;/admin": b"/admin",
    b"http://localhost/orders/../admin": b"/admin",
    b"/orders/%00": 400,
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_reaches_the_service_in_one_spelling_or_not_at_all(path: bytes, guarded: Guarded) -> None:
    expected = PATHS[path]
    answer, sent = _ask(guarded, b"GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n" % path)
    if isinstance(expected, int):
        assert (answer.status, sent) == (expected, [])
    else:
        assert answer.status == 200
        assert sent[0].split(b" ")[1] == expected


@pytest.mark.parametrize("path", [p.decode() for p in PATHS if p.startswith(b"/")])
def test_the_same_over_http2(path: str, guarded: Guarded) -> None:
    before, expected = len(guarded.service.requests), PATHS[path.encode()]
    with guarded.deployment.http2(guarded.friend) as connection:
        try:
            status = connection.ask(path=path).status
        except Closed:
            status = 400
    sent = guarded.service.requests[before:]
    if isinstance(expected, int):
        assert (status, sent) == (expected, [])
    else:
        assert status == 200
        assert sent[0].split(b" ")[1] == expected


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"CONNECT localhost:443 HTTP/1.1", {403, 404}),
        (b"OPTIONS * HTTP/1.1", {400, 403, 404}),
        (b"GET * HTTP/1.1", {400, 403, 404}),
        (b"GET orders HTTP/1.1", {400}),
        (b"GET / HTTP/3.0", {400, 426}),
    ],
)
def test_what_names_no_path_of_ours_never_reaches_the_service(
    request_line: bytes, status: set[int], guarded: Guarded
) -> None:
    answer, sent = _ask(guarded, request_line + b"\r\nhost: localhost\r\n\r\n")
    assert answer.status in status
    assert sent == []


SMUGGLING = {
    "both lengths": (b"content-length: 5\r\ntransfer-encoding: chunked", 400),
    "two lengths": (b"content-length: 5\r\ncontent-length: 6", 400),
    "a length with a sign": (b"content-length: +5", 400),
    "no length": (b"content-length: x", 400),
    "unknown transfer coding": (b"transfer-encoding: chunked, x", 501),
    "transfer coding in disguise": (b"transfer-encoding: xchunked", 501),
}


@pytest.mark.parametrize("what", SMUGGLING)
def test_a_request_whose_end_two_parsers_would_see_elsewhere_is_refused(what: str, guarded: Guarded) -> None:
    lines, status = SMUGGLING[what]
    answer, sent = _ask(guarded, b"POST / HTTP/1.1\r\nhost: localhost\r\n" + lines + b"\r\n\r\n0\r\n\r\n")
    assert answer.status == status
    assert sent == []


def test_headers_that_are_too_large_are_refused(guarded: Guarded) -> None:
    answer, sent = _ask(guarded, b"GET / HTTP/1.1\r\nhost: localhost\r\nx-big: " + b"x" * 40_000 + b"\r\n\r\n")
    assert (answer.status, sent) == (431, [])


def test_too_many_headers_are_refused(guarded: Guarded) -> None:
    many = b"".join(b"x-%d: 1\r\n" % number for number in range(200))
    answer, sent = _ask(guarded, b"GET / HTTP/1.1\r\nhost: localhost\r\n" + many + b"\r\n")
    assert (answer.status, sent) == (431, [])


def _ask(guarded: Guarded, request: bytes) -> tuple[Answer, list[bytes]]:
    before = len(guarded.service.requests)
    with guarded.deployment.http1(guarded.friend) as connection:
        answer = connection.ask(request)
    return answer, guarded.service.requests[before:]
