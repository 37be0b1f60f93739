"""POST a JSON document over verified HTTPS, and believe only a 2xx answer.

A webhook's URL is a secret (whoever has it can write there), so no message and no exception holds more of it than the
host. A redirect is never followed: it would hand the message, and often the secret, to somebody who was not configured.
"""

import base64
import http.client
import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from handclasp.errors import InvalidInput, NoticeFailed
from handclasp.notice.port import TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post. `url` is without name and password, which became `authorization`."""

    host: str
    url: str = field(repr=False)
    authorization: str | None = field(repr=False, default=None)


def target(url: str, setting: str) -> Target:
    """Raises InvalidInput, naming the setting and not its value."""
    parts = _split(url, setting)
    local = is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InvalidInput(
            f"setting {setting} is an https:// URL", hint="http:// is taken for this machine's own addresses only"
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return Target(parts.hostname or "", urlunsplit(bare), authorization)


def post_json(to: Target, document: Mapping[str, object], channel: str) -> None:
    """Raises NoticeFailed, naming the channel and the host."""
    # S310: `target` has let nothing through but https, and http to this machine.
    request = urllib.request.Request(  # noqa: S310
        to.url,
        data=json.dumps(document).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "handclasp"},
    )
    if to.authorization is not None:
        request.add_unredirected_header("Authorization", to.authorization)
    where = f"{channel} ({to.host})"
    try:
        with _opener(to.host).open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise NoticeFailed(f"{where} answered {error.code}", hint=_hint(error.code)) from None
    except ssl.SSLCertVerificationError as error:
        raise NoticeFailed(f"{where}: its certificate does not verify: {error.verify_message}") from None
    except urllib.error.URLError as error:
        raise NoticeFailed(f"{where} cannot be reached: {_reason(error.reason)}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NoticeFailed(f"{where} cannot be reached: {_reason(error)}") from None


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        """None: urllib then raises the answer as an error."""


def _opener(host: str) -> urllib.request.OpenerDirector:
    # A proxy is taken from the environment, as every program does, but not for this machine itself.
    proxies = urllib.request.ProxyHandler({} if is_loopback(host) else None)
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(proxies, tls, _NoRedirect())


def _split(url: str, setting: str) -> SplitResult:
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise InvalidInput(f"setting {setting} is no URL: it holds what no URL may")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidInput(f"setting {setting} is no URL") from None
    if not parts.hostname:
        raise InvalidInput(f"setting {setting} is no URL: it names no host")
    return parts


def _hint(code: int) -> str | None:
    if http.HTTPStatus.MULTIPLE_CHOICES <= code < http.HTTPStatus.BAD_REQUEST:
        return "it sends us elsewhere, which is not followed: configure the address it means"
    return None


def _reason(error: object) -> str:
    """What went wrong in words that cannot hold the URL: http.client quotes it in some of its messages."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
