"""Where to listen and whom to guard: what can be used is parsed, what cannot is refused with what would do."""

import pytest

from handclasp.errors import InvalidInput
from handclasp.gateway.addresses import parse_listen, parse_upstream


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
