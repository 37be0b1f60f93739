"""Where to listen and whom to guard: what can be used is parsed, what cannot is refused with what would do."""

import socket

import pytest

from handclasp.errors import InvalidInput
from handclasp.gateway.addresses import advertised, gateway_id, parse_listen, parse_upstream, server_name
from handclasp.settings import GatewaySettings

_HOST = socket.gethostname()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65_535)),
        ("0.0.0.0:443", ("0.0.0.0", 443)),  # noqa: S104 - parsed, not bound
    ],
)
def test_a_listen_address(text: str, parsed: tuple[str, int]) -> None:
    assert parse_listen(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "8443", ":8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "a:b"]
)
def test_a_listen_address_that_is_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("http://127.0.0.1:3000", ("127.0.0.1", 3000)),
        ("http://app.internal/", ("app.internal", 80)),
        ("http://[::1]:3000", ("::1", 3000)),
    ],
)
def test_an_upstream(url: str, parsed: tuple[str, int]) -> None:
    assert parse_upstream(url) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:3000",
        "https://127.0.0.1",
        "http://",
        "http://127.0.0.1/api",
        "http://127.0.0.1?x=1",
        "http://user@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://[::1",
    ],
)
def test_an_upstream_that_is_none(url: str) -> None:
    with pytest.raises(InvalidInput, match="upstream"):
        parse_upstream(url)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (GatewaySettings(), "127.0.0.1:8443"),
        (GatewaySettings(listen="[::1]:8443"), "[::1]:8443"),
        (GatewaySettings(listen="0.0.0.0:443"), f"{_HOST}:443"),
        (GatewaySettings(listen="[::]:443"), f"{_HOST}:443"),
        (GatewaySettings(listen="0.0.0.0:443", advertise="edge-1.internal:8443"), "edge-1.internal:8443"),
        (GatewaySettings(advertise="[2001:db8::1]:443"), "[2001:db8::1]:443"),
    ],
)
def test_where_others_reach_the_gateway(settings: GatewaySettings, found: str) -> None:
    assert advertised(settings) == found


@pytest.mark.parametrize("text", ["edge-1", "edge-1:", ":443", "edge-1:x", "edge-1:0", "edge-1:65536"])
def test_an_advertised_address_that_is_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="HOST:PORT"):
        advertised(GatewaySettings(advertise=text))


def test_a_gateway_is_called_as_it_is_set_or_by_host_and_port() -> None:
    assert gateway_id(GatewaySettings(id="edge-1")) == "edge-1"
    assert gateway_id(GatewaySettings(listen="[::]:443")) == f"{_HOST}:443"


@pytest.mark.parametrize("text", [" ", "x" * 201, "a\nb", "\x1b[2J"])
def test_a_gateway_id_that_is_no_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        gateway_id(GatewaySettings(id=text))


@pytest.mark.parametrize(
    ("names", "found"),
    [(("localhost", "127.0.0.1"), "localhost"), (("*.example.org",), "gateway.example.org"), ((), "")],
)
def test_the_name_its_certificate_is_verified_for(names: tuple[str, ...], found: str) -> None:
    assert server_name(GatewaySettings(server_names=names)) == found
