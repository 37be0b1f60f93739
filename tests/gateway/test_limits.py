"""Who connects and dawdles is hung up on."""

import socket
import time

import pytest

from tests.gateway.conftest import Guarded

pytestmark = pytest.mark.slow

_SECONDS = 10
_SLACK = 5


def test_headers_that_trickle_in_are_cut_off(guarded: Guarded) -> None:
    before, begun = len(guarded.service.requests), time.monotonic()
    with guarded.deployment.http1(guarded.friend) as connection:
        connection.tls.settimeout(_SECONDS + _SLACK)
        connection.send(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: 1")
        assert connection.answer().status == 408
    assert _SECONDS - 1 < time.monotonic() - begun < _SECONDS + _SLACK
    assert len(guarded.service.requests) == before


def test_a_connection_that_never_says_hello_is_closed(guarded: Guarded) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", guarded.deployment.port), timeout=_SECONDS + _SLACK) as silent:
        assert silent.recv(1) == b""
    assert _SECONDS - 1 < time.monotonic() - begun < _SECONDS + _SLACK
