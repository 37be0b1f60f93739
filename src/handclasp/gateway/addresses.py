"""The addresses a gateway has: where it listens, where others reach it, and the service behind it; and its name."""

import socket
from urllib.parse import urlsplit

from handclasp.errors import InvalidInput
from handclasp.settings import GatewaySettings

_MAX_PORT = 65_535
_HTTP_PORT = 80
_MAX_ID = 200
#: Every address of the machine: nothing that anybody else could call.
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


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


def gateway_id(settings: GatewaySettings) -> str:
    """How the fleet calls this gateway: the setting, or host name and port. Raises InvalidInput."""
    _, port = parse_listen(settings.listen)
    named = settings.id or f"{socket.gethostname()}:{port}"
    if not named.isprintable() or not named.strip() or len(named) > _MAX_ID:
        raise InvalidInput(f"gateway id {named!a} is not a name of 1 to {_MAX_ID} printable characters")
    return named


def advertised(settings: GatewaySettings) -> str:
    """HOST:PORT where others reach the gateway. Raises InvalidInput."""
    if settings.advertise:
        host, separator, port = settings.advertise.rpartition(":")
        if not separator or not host or not port.isdecimal() or not 1 <= int(port) <= _MAX_PORT:
            raise InvalidInput(
                f"advertised address {settings.advertise!a} is not HOST:PORT", hint="such as edge-1.example.org:8443"
            )
        return settings.advertise
    host, number = parse_listen(settings.listen)
    if host in _WILDCARDS:
        return f"{socket.gethostname()}:{number}"
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


def server_name(settings: GatewaySettings) -> str:
    """A name that the server certificate is verified for: the first of its names, some host's if it is a wildcard."""
    return next(iter(settings.server_names), "").replace("*", "gateway", 1)
