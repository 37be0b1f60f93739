"""Supersede what has been replaced, when its client has gone over to the new certificate and not before.

Who has gone over is decided in `gone_over`, from what gateways have seen. Silence is evidence only where somebody
listened: a machine that was suspended wakes up to sightings that are two days old, and with callers that are about to
go on. So what is to be superseded for its silence is looked at twice, with some seconds between in which every
gateway that lives has reported.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from handclasp.authority.recording import details
from handclasp.authority.rotation.gateway_evidence import SILENT_SECONDS
from handclasp.authority.rotation.gone_over import Pair, Verdict, judge
from handclasp.authority.rotation.holders import by_client
from handclasp.authority.rotation.replacement import replacement
from handclasp.registry.fleet import Sighting
from handclasp.registry.port import Change, Reader, Registry
from handclasp.registry.records import Certificate, CertificateStatus, Client, Holding, RevocationReason

#: Longer than a gateway takes to report what it has seen (it does at least every 5 s).
LISTEN_SECONDS = 6.0
#: A revocation waits for the write lock: small transactions.
_CHUNK = 100
_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Straggler:
    """A client that holds an old certificate past its overlap. `last_seen_at`: with that one; None for never."""

    client_id: str
    serial_number: str
    last_seen_at: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """`superseded` by this pass; `waiting` are within their overlap; `stragglers` past it, and kept."""

    superseded: int
    waiting: int
    stragglers: tuple[Straggler, ...]


def supersede_due(
    *,
    registry: Registry,
    actor: str,
    settle: int,
    wait: Callable[[float], bool] | None = None,
) -> Superseded:
    """Supersede what is due. Safe to be repeated, and to be run by several at once.

    `settle` is in seconds. `wait` sleeps so many seconds and is true when the pass is to stop.
    """
    if not registry.superseding(_EVER, limit=1):
        return Superseded(0, 0, ())
    due: list[_Due] = []
    stragglers: list[Straggler] = []
    waiting, now = 0, registry.now()
    for pair in _pairs(registry):
        verdict = judge(pair, now, settle)
        if verdict.supersede:
            due.append(_Due(pair.client, pair.old.issuer_id, pair.old.serial_number, pair.old_seen, verdict.listen))
        elif (pair.old.supersede_at or _EVER) <= now:
            stragglers.append(_straggler(pair, verdict))
        else:
            waiting += 1
    if any(each.listen for each in due) and not _listened(registry, wait or _sleep):
        return Superseded(0, waiting + len(due), tuple(stragglers))
    done = 0
    for at in range(0, len(due), _CHUNK):
        with registry.change() as change:
            done += sum(_supersede(change, each, settle, actor) for each in due[at : at + _CHUNK])
    return Superseded(done, waiting + len(due) - done, tuple(stragglers))


@dataclass(frozen=True, slots=True)
class _Due:
    """What is kept of a pair until it is acted on: a registry may have very many."""

    client: Client
    issuer_id: str
    serial_number: str
    old_seen: Sighting | None
    listen: bool


def _pairs(registry: Registry) -> Iterator[Pair]:
    """Every certificate that lives and has been replaced by one that lives. One page of clients in memory."""
    for held in by_client(registry):
        for each in held:
            new = replacement(registry, each.certificate, held)
            if new is not None:
                yield _pair(registry, each, new)


def _pair(registry: Reader, held: Holding, new: Certificate) -> Pair:
    old = held.certificate
    old_seen = None if held.last_seen_at is None else Sighting(old.fingerprint, held.last_seen_at, held.requests)
    return Pair(held.client, old, new, old_seen, registry.sighting(new.fingerprint))


def _supersede(change: Change, due: _Due, settle: int, actor: str) -> bool:
    """Judged again in the transaction that acts on it; anything seen with the old one since speaks for it."""
    old = change.certificate(due.issuer_id, due.serial_number)
    new = replacement(change, old)
    if old.status is not CertificateStatus.ACTIVE or new is None:
        return False
    pair = Pair(due.client, old, new, change.sighting(old.fingerprint), change.sighting(new.fingerprint))
    now = change.now()
    if pair.old_seen != due.old_seen or not judge(pair, now, settle).supersede:
        return False
    reason = RevocationReason.SUPERSEDED
    change.set_certificate_status(old, CertificateStatus.REVOKED, at=now, reason=reason)
    change.record(
        at=now,
        actor=actor,
        action="certificate.supersede",
        subject=due.client.client_id,
        details=details(
            serial_number=old.serial_number,
            replaced_by=new.serial_number,
            before="active",
            after="revoked",
            reason=reason.value,
            last_seen_at=pair.old_seen and pair.old_seen.last_seen_at,
        ),
    )
    return True


def _listened(registry: Registry, wait: Callable[[float], bool]) -> bool:
    """Wait until every gateway that lives has had time to report. False when the pass is to stop, or one has not."""
    if not registry.gateways():
        return True
    if wait(LISTEN_SECONDS):
        return False
    # Silent for longer it is dead, or cut off: what passes through it nobody knows, and it is named elsewhere.
    return all(g.silent_for <= LISTEN_SECONDS or g.silent_for > SILENT_SECONDS for g in registry.gateways())


def _straggler(pair: Pair, verdict: Verdict) -> Straggler:
    seen = pair.old_seen
    return Straggler(pair.client.client_id, pair.old.serial_number, seen.last_seen_at if seen else None, verdict.why)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
