"""Identity headers that a client makes up, on a request that is otherwise good: none may reach the service.

The gateway tells the service who is calling in headers of these names, so what a client sends under them must be
gone, in every spelling. Only a service that echoes what it received, as the demo's does, can show it.
"""

import json

from handclasp.verify.attempt import Headers, Outcome, attempt
from handclasp.verify.endpoint import Endpoint
from handclasp.verify.result import Judgement, failed, passed, skipped

#: The names the gateway writes, in lower case.
IDENTITY_HEADERS = (
    "x-client-id",
    "x-client-environment",
    "x-client-application",
    "x-client-serial",
    "x-client-fingerprint",
    "x-client-subject",
    "x-client-issuer",
    "x-client-not-after",
    "x-forwarded-client-cert",
)
_MARK = "spoofed-by-handclasp-verify"


def _as_is(name: str) -> list[str]:
    return [name]


def _underscored(name: str) -> list[str]:
    return [name.replace("-", "_"), name.title().replace("-", "_")]


def _twice_in_other_case(name: str) -> list[str]:
    return [name.upper(), name.title()]


#: How they are spelt, and whether a gateway may refuse such a request outright: underscores are what servers that
#: turn headers into variables confuse with dashes.
_SPELLINGS = ((_as_is, False), (_twice_in_other_case, False), (_underscored, True))


def spoofing(endpoint: Endpoint) -> Judgement:
    seen = []
    for spell, may_be_refused in _SPELLINGS:
        headers: Headers = [(spelt, _MARK) for name in IDENTITY_HEADERS for spelt in spell(name)]
        outcome = attempt(endpoint, endpoint.credential, headers=headers)
        if may_be_refused and outcome.refused:
            seen.append(f"with underscores refused: {outcome.words}")
            continue
        if not outcome.accepted:
            return failed(f"the request was not accepted: {outcome.words}")
        echo = _echoed(outcome)
        if echo is None:
            return skipped('the service does not echo what it receives as JSON {"headers": {...}}')
        if arrived := sorted({name for name, value in echo if _MARK in value and _canonical(name) in IDENTITY_HEADERS}):
            return failed(f"reached the service: {', '.join(arrived)}")
    return passed("; ".join(["none reached the service", *seen]))


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _echoed(outcome: Outcome) -> list[tuple[str, str]] | None:
    """The headers the service says it received; None if it does not say."""
    try:
        said = json.loads(outcome.body)
    except ValueError:
        return None
    headers = said.get("headers") if isinstance(said, dict) else None
    return [(name, json.dumps(value)) for name, value in headers.items()] if isinstance(headers, dict) else None
