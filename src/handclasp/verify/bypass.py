"""Is there a way around the gateway? The default endpoint, or the upstream itself, asked without any credential.

Nothing secret is sent, so the server only has to be one that either the machine's CAs or --cacert vouch for: that
much is needed to read its answer. A door that opens at all, with whatever face behind it, is an open door.
"""

import errno
import json
import socket
import ssl

from handclasp.pki.pem import certificate_pem
from handclasp.verify.attempt import Conversation, Kind, Outcome
from handclasp.verify.endpoint import Endpoint
from handclasp.verify.result import Judgement, failed, passed, skipped
from handclasp.verify.target import Target

#: What API Gateway says at a default endpoint that is closed: REST APIs 403, HTTP APIs 404 with this message.
_CLOSED_STATUS = 403
_CLOSED_ANSWERS = {404: frozenset({"Not Found", "Forbidden"})}
#: No door, or a firewall before it.
_CLOSED_ERRNO = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH})


def bypass(endpoint: Endpoint) -> Judgement:
    if endpoint.bypass is None:
        return skipped("needs --bypass-url: the default endpoint's or the service's own URL")
    if why := _no_door(endpoint.bypass, endpoint.timeout):
        return passed(why)
    context = None
    if endpoint.bypass.scheme == "https":
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=certificate_pem(*endpoint.anchors).decode("ascii"))
    with Conversation(endpoint.bypass, context, endpoint.timeout) as conversation:
        outcome = conversation.open() or conversation.ask()
    return passed(outcome.words) if _closed(outcome) else failed(f"{endpoint.bypass.authority}: {_told(outcome)}")


def _no_door(target: Target, timeout: float) -> str | None:
    """Why there is nothing to talk to. A name that does not resolve is no answer: it may be misspelt."""
    try:
        socket.create_connection((target.host, target.port), timeout).close()
    except TimeoutError:
        return "no answer (timed out)"
    except OSError as error:
        return (error.strerror or str(error)).lower() if error.errno in _CLOSED_ERRNO else None
    return None


def _closed(outcome: Outcome) -> bool:
    return outcome.status == _CLOSED_STATUS or _message(outcome.body) in _CLOSED_ANSWERS.get(outcome.status or 0, ())


def _told(outcome: Outcome) -> str:
    if outcome.kind is Kind.SERVER_NOT_VERIFIED:
        return f"something answers there, with a certificate that nobody vouches for: {outcome.detail}"
    return outcome.words


def _message(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    message = said.get("message") if isinstance(said, dict) else None
    return message if isinstance(message, str) else None
