"""Wait until nobody uses the old issuers' certificates any more: the gateways' sightings are the evidence.

Time that nobody observed does not count: while a gateway's machine was asleep it saw nobody, and that proves nothing.
A gateway says since when it is awake, and that moves on by as long as it slept (see `registry.fleet.Gateway`).
"""

from collections.abc import Callable, Iterator, Set
from datetime import datetime, timedelta

from handclasp.authority.operations.operation import NotYet, Run
from handclasp.authority.probe import is_reserved
from handclasp.authority.recording import epoch
from handclasp.authority.rotation.gateway_evidence import live_gateways, still_serving_with
from handclasp.authority.rotation.holders import by_client
from handclasp.authority.rotation.lock_out import confirm_lock_out, locked_out
from handclasp.errors import LockOutRefused
from handclasp.registry.port import Reader
from handclasp.registry.records import ClientStatus, Holding

_SHORTEST, _LONGEST = 0.2, 30.0
#: A run that is killed watches this much longer, at most (seconds).
_REMEMBERED_EVERY = 30.0
#: What a client's last requests take to get from a gateway's log into the registry, at most.
REPORT_SECONDS = 6


def wait_until_idle(
    run: Run,
    old: Set[str],
    *,
    idle_for: timedelta,
    deadline: int,
    lock_out: int | None,
    again: Callable[[str], None],
    clock: Callable[[], datetime],
) -> None:
    """Returns when nobody has been seen with a certificate of `old` for `idle_for`, or at the deadline; and when nobody
    is locked out, or exactly as many as the operator agreed to.

    `again` re-issues what an old issuer signed at the last moment. Raises NotYet when somebody would be locked out
    and that was not agreed to: at the deadline who still uses an old certificate, and always who has no other.
    """
    needed = idle_for.total_seconds()
    tick = min(max(needed / 20, _SHORTEST), _LONGEST)
    observed = remembered = float(run.state.get("observed", 0)) + _watched_without_us(run)
    before = run.registry.now()
    told = ""
    while True:
        unreplaced, in_use = _survey(run.registry, old, since=run.registry.now() - needed)
        for issuer_id in sorted(unreplaced):
            again(issuer_id)
        now = run.registry.now()
        # A clock that was set, or a machine that slept: what was not watched is not counted.
        observed += min(max(0, now - before), 3 * tick + 1)
        before = now
        if in_use:
            observed = min(observed, max(0.0, now - max(h.last_seen_at or 0 for h in in_use)))
        servers = still_serving_with(run.registry, old)
        if not in_use and observed >= needed + _report_delay(run.registry) and not servers:
            _agreed(run, old, lock_out, "nobody was seen with them; retiring the old issuer", again, epoch(clock()))
            return
        if now >= deadline and not servers:
            what = "the deadline has passed; retiring the old issuer"
            _agreed(run, old, lock_out, what, again, epoch(clock()), since=int(now - needed))
            return
        said = _words(in_use, servers)
        if not run.patient:
            _remember(run, observed)
            raise NotYet(said)
        if said != told:
            run.tell(said, in_use=sorted({h.client.client_id for h in in_use}))
            told = said
        if abs(observed - remembered) >= _REMEMBERED_EVERY:
            remembered = observed
            _remember(run, observed)
        run.sleep(tick)


def _remember(run: Run, observed: float) -> None:
    awake = {gateway.gateway_id: gateway.awake_since for gateway in live_gateways(run.registry)[0]}
    run.remember(observed=int(observed), watched_at=run.registry.now(), awake=awake)


def _watched_without_us(run: Run) -> float:
    """How long every gateway that lives has been awake since this operation was last worked on, in seconds."""
    live, _ = live_gateways(run.registry)
    since = run.state.get("watched_at")
    if since is None or not live:
        return 0.0
    awake: dict[str, int] = run.state.get("awake", {})
    slept = [max(0, gateway.awake_since - awake.get(gateway.gateway_id, gateway.awake_since)) for gateway in live]
    return max(0.0, float(run.registry.now() - since - max(slept)))


def _agreed(
    run: Run,
    old: Set[str],
    lock_out: int | None,
    what: str,
    again: Callable[[str], None],
    now: int,
    *,
    since: int | None = None,
) -> None:
    """Raises NotYet unless nobody is locked out, or as many as `lock_out` names."""
    if any(locked_out(run.registry, old, now=now)):
        # Whose new certificate was revoked since, say: it may be given another.
        for issuer_id in sorted(old):
            again(issuer_id)
    found = list(locked_out(run.registry, old, now=now, in_use_since=since))
    try:
        confirm_lock_out(found, lock_out, what)
    except LockOutRefused as refused:
        raise NotYet(
            f"{refused}; to go on: handclasp operation resume {run.operation.operation_id} --lock-out {len(found)}"
        ) from None


def _survey(registry: Reader, old: Set[str], since: float) -> tuple[set[str], list[Holding]]:
    """The old issuers some of whose certificates came out after the re-issue had passed their client's name, and the
    certificates that are in use."""
    now = registry.now()
    unreplaced, in_use = set(), []
    for held in _held(registry, old):
        certificate = held.certificate
        is_to_replace = certificate.delivered_at is not None and certificate.not_after > now
        if certificate.replaced_by is None and is_to_replace and held.client.status is ClientStatus.ACTIVE:
            unreplaced.add(certificate.issuer_id)
        if held.last_seen_at is not None and held.last_seen_at > since:
            in_use.append(held)
    return unreplaced, in_use


def _held(registry: Reader, old: Set[str]) -> Iterator[Holding]:
    for issuer_id in sorted(old):
        for held in by_client(registry, issuer_id):
            if not is_reserved(held[0].client):
                yield from held


def _report_delay(registry: Reader) -> int:
    return REPORT_SECONDS if live_gateways(registry)[0] else 0


def _words(in_use: list[Holding], servers: list[str]) -> str:
    users = sorted({h.client.client_id for h in in_use})
    if users:
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""  # noqa: PLR2004 - a line for people
        many = f"{len(users)} client{' still uses' if len(users) == 1 else 's still use'} an old certificate"
        return f"{many}: {', '.join(users[:5])}{more}"
    if servers:
        return f"gateways whose own certificate is of the old issuer: {', '.join(servers)}"
    return "nobody is seen with an old certificate; watching"
