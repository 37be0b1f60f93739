"""The demo's own service says what it was told, and takes only so much."""

import http.client
import json
from urllib.parse import urlsplit

from handclasp.gateway.sample_service import sample_service


def _ask(url: str, method: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request(method, "/x?y=1", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_greets_the_caller_the_gateway_names() -> None:
    with sample_service() as url:
        status, body = _ask(url, "POST", b"hello", **{"X-Client-Id": "acme"})
        answer = json.loads(body)
        assert (status, answer["message"], answer["method"], answer["path"]) == (200, "hello acme", "POST", "/x?y=1")
        assert answer["headers"]["x-client-id"] == ["acme"]
        assert json.loads(_ask(url, "GET")[1])["message"] == "hello nobody"
        assert _ask(url, "HEAD") == (200, b"")


def test_it_refuses_a_body_that_is_too_large() -> None:
    with sample_service() as url:
        assert _ask(url, "POST", None, **{"content-length": "2000000"})[0] == 413
