"""Accepted, revoked, refused: on the connection that was open all along, and on a new one, both timed."""

import time
from collections.abc import Callable
from datetime import datetime

from handclasp.authority.probe import issue_revocable, revoke_probe
from handclasp.errors import HandclaspError
from handclasp.verify.attempt import Conversation, Outcome, attempt
from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import Endpoint, client_context
from handclasp.verify.own_authority import OwnAuthority, environment, presentable
from handclasp.verify.result import Judgement, Verdict, failed, skipped

#: How long the endpoint may take to learn of a new certificate; the gateway's big tables take seconds.
ACCEPTED_WITHIN_S = 10.0
#: What is promised: a revoked client is refused within a second, on open connections too.
REFUSED_WITHIN_S = 1.0
#: Between questions: short against what is measured, long enough not to be a flood.
_PAUSE_S = 0.005
_RETRY_S = 0.05


def revocation(endpoint: Endpoint, own: OwnAuthority, now: Callable[[], datetime]) -> Judgement:
    """Enrol a certificate for the reserved client, see it accepted, revoke it, see it refused."""
    try:
        probe = issue_revocable(
            environment(own, endpoint.credential),
            registry=own.registry,
            custody=own.custody,
            practice=own.practice,
            actor=own.actor,
            now=now(),
        )
    except HandclaspError as error:
        return skipped(f"no certificate to revoke: {error}")
    credential = presentable(probe)

    def revoke() -> None:
        revoke_probe(probe, registry=own.registry, actor=own.actor, now=now())

    try:
        context = client_context(endpoint, credential)
        started = time.monotonic()
        while True:
            with Conversation(endpoint.target, context, endpoint.timeout) as conversation:
                outcome = conversation.open() or conversation.ask()
                waited = time.monotonic() - started
                if outcome.accepted:
                    return _revoked(endpoint, credential, conversation if outcome.keeps_open else None, waited, revoke)
            if waited > ACCEPTED_WITHIN_S:
                return failed(f"a new certificate was not accepted within {waited:.0f} s: {outcome.words}")
            time.sleep(_RETRY_S)
    finally:
        revoke()


def _revoked(
    endpoint: Endpoint,
    credential: Credential,
    kept: Conversation | None,
    accepted_after: float,
    revoke: Callable[[], None],
) -> Judgement:
    waiting: dict[str, Callable[[], Outcome]] = {"new connection": lambda: attempt(endpoint, credential)}
    if kept is not None:
        waiting = {"open connection": kept.ask, **waiting}
    revoke()
    since = time.monotonic()
    refused: dict[str, float] = {}
    words = dict.fromkeys(waiting, "not asked")
    while waiting and time.monotonic() - since <= REFUSED_WITHIN_S:
        for name, ask in list(waiting.items()):
            outcome = ask()
            words[name] = outcome.words
            if outcome.refused:
                refused[name] = time.monotonic() - since
                del waiting[name]
        time.sleep(_PAUSE_S)
    measured = {"accepted": accepted_after, **refused}
    in_time = not waiting and max(refused.values()) <= REFUSED_WITHIN_S
    return Judgement(
        Verdict.PASSED if in_time else Verdict.FAILED,
        "; ".join(
            [f"accepted after {accepted_after * 1000:.0f} ms", *(_told(name, refused, words[name]) for name in words)]
            + ([] if kept else ["the server keeps no connection open"])
        ),
        tuple((name.replace(" ", "_"), round(seconds * 1000, 1)) for name, seconds in measured.items()),
    )


def _told(name: str, refused: dict[str, float], words: str) -> str:
    if name in refused:
        return f"{name} refused after {refused[name] * 1000:.0f} ms: {words}"
    return f"{name} still accepted {REFUSED_WITHIN_S:.0f} s after the revocation: {words}"
