"""A refused request costs the service nothing: not a connection, not an octet. In both refusal modes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from handclasp.authority.revoke import suspend_client
from handclasp.pki.keys import KeyAlgorithm, generate
from tests.gateway.callers import Caller, Closed
from tests.gateway.conftest import Guarded, running_gateway
from tests.gateway.deployment import now
from tests.making import certificate

_REQUESTS = [
    b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET http://localhost/x HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    b"GET /ready HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.fixture(params=["forbidden", "handshake"])
def untouched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    """A gateway nobody has passed yet, so that its service has no connection at all."""
    with running_gateway(tmp_path, refusal=request.param) as each:
        yield each


def test_no_refused_request_reaches_the_service(untouched: Guarded) -> None:
    at = untouched.deployment
    suspended = at.enrol("held")
    suspend_client("held", registry=at.registry, **at.recorded)
    path, key = at.issue("stranger")
    unregistered = at.caller("stranger", path, key)
    own_key = generate(KeyAlgorithm.P256)
    rogue = at.caller("rogue", (certificate("friend", of=own_key, not_after=now().replace(year=2099)),), own_key)

    for caller in (at.nobody, suspended, unregistered, rogue):
        for request in _REQUESTS:
            assert _status(untouched, caller, request) != 200, (caller.name, request)
        assert _status2(untouched, caller) != 200
    assert untouched.service.connections == 0
    assert untouched.service.requests == []

    assert at.status(untouched.friend) == 200
    assert untouched.service.connections == 1


def _status(guarded: Guarded, caller: Caller, request: bytes) -> int | None:
    try:
        with guarded.deployment.http1(caller) as connection:
            return connection.ask(request).status
    except Closed:
        return None


def _status2(guarded: Guarded, caller: Caller) -> int | None:
    try:
        with guarded.deployment.http2(caller) as connection:
            return connection.ask(method="POST", body=b"hello").status
    except Closed:
        return None
