"""The two addresses a gateway has: where it listens, and the service behind it."""

from urllib.parse import urlsplit

from handclasp.errors import InvalidInput

_MAX_PORT = 65_535
_HTTP_PORT = 80


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT with an IP address as host, IPv6 in brackets; `localhost` is 127.0.0.1. Raises InvalidInput."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not 1 <= int(port) <= _MAX_PORT or not host:
        raise InvalidInput(f"listen address {text!a} is not HOST:PORT", hint="such as 127.0.0.1:8443")
    return ("127.0.0.1" if host == "localhost" else host.strip("[]")), int(port)


def parse_upstream(url: str) -> tuple[str, int]:
    """Host and port of an http:// URL without a path. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port or _HTTP_PORT
    except ValueError:
        raise InvalidInput(f"upstream {url!a} is not a URL", hint="such as http://127.0.0.1:3000") from None
    if parts.scheme != "http" or not parts.hostname:
        raise InvalidInput(
            f"upstream {url!a} is not an http:// URL",
            hint="the gateway speaks plain HTTP to the service it guards",
        )
    if parts.path not in {"", "/"} or parts.query or parts.username:
        raise InvalidInput(f"upstream {url!a} may not have a path, a query or a user", hint="name host and port only")
    return parts.hostname, port
