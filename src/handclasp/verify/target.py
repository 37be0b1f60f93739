"""The URL under diagnosis, taken apart once."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from handclasp.errors import InvalidInput
from handclasp.pki.identity import shown

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_HTTPS_PORT, _HTTP_PORT = 443, 80
_KEPT_IN_PATHS = "/%:=&?~+!$,;'@()*"


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is a DNS name in its ASCII form or an IP address; `path` starts with a slash and holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_address(self) -> bool:
        return _is_address(self.host)

    @property
    def authority(self) -> str:
        """As a URL and a Host header write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _HTTPS_PORT if self.scheme == "https" else _HTTP_PORT
        return host if self.port == usual else f"{host}:{self.port}"


def target(url: str) -> Target:
    """Raises InvalidInput for anything but an http or https URL with a host. A password in it is not used."""
    hint = "pass a URL such as https://api.example.com/health"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not _is_address(host):
            host = host.encode("idna").decode("ascii")
    except ValueError:
        raise InvalidInput(f"{shown(url)} is not a URL", hint=hint) from None
    if parts.scheme not in {"http", "https"}:
        raise InvalidInput(f"{shown(url)} does not begin with https://", hint=hint)
    if not _is_address(host) and not _HOST.fullmatch(host):
        raise InvalidInput(f"{shown(url)} names no host that can be looked up", hint=hint)
    if port == 0:
        raise InvalidInput(f"{shown(url)} names port 0", hint=hint)
    query = f"?{quote(parts.query, safe=_KEPT_IN_PATHS)}" if parts.query else ""
    path = quote(parts.path or "/", safe=_KEPT_IN_PATHS) + query
    usual = _HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT
    return Target(parts.scheme, host, usual if port is None else port, path)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
