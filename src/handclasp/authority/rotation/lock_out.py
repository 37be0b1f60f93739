"""Before trust is taken away: which active clients would be locked out by that, and when each was last seen."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from handclasp.authority.probe import is_reserved
from handclasp.authority.rotation.holders import by_client
from handclasp.errors import LockOutRefused
from handclasp.registry.port import Reader
from handclasp.registry.records import CertificateStatus, ClientStatus, Holding

#: Named one by one in a message; `--json` and `--dry-run` have them all.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class LockedOut:
    """A client that is let in now and would not be. `last_seen_at` is None when no gateway has seen it."""

    client_id: str
    last_seen_at: int | None
    why: str


def locked_out(
    registry: Reader, without: Set[str], *, now: int, in_use_since: int | None = None
) -> Iterator[LockedOut]:
    """Who would be refused if these issuers were not trusted any more.

    Active clients that hold a valid certificate of theirs and have been given none of another issuer; and, with
    `in_use_since`, those that have one and were seen since that moment, last with the old one. Streams.
    """
    for held in by_client(registry):
        if held[0].client.status is not ClientStatus.ACTIVE or is_reserved(held[0].client):
            continue
        valid = [h for h in held if h.certificate.not_before <= now <= h.certificate.not_after]
        losing = [h for h in valid if h.certificate.issuer_id in without]
        staying = [
            h for h in valid if h.certificate.issuer_id not in without and h.certificate.delivered_at is not None
        ]
        last = _last_seen(losing)
        if losing and not staying:
            yield LockedOut(held[0].client.client_id, last, "it has been given no other certificate")
        elif last is not None and in_use_since is not None and last >= max(in_use_since, _last_seen(staying) or 0):
            yield LockedOut(held[0].client.client_id, last, "it still uses the old certificate")


def suspension(registry: Reader, client_id: str, now: int) -> list[LockedOut]:
    """Who is locked out by suspending this client: itself, if it is let in now. Raises NotRegistered."""
    client = registry.client(client_id)
    active = [c for c in registry.certificates(client_id) if c.status is CertificateStatus.ACTIVE]
    valid = [c for c in active if c.not_before <= now <= c.not_after]
    if client.status is not ClientStatus.ACTIVE or not valid:
        return []
    seen = [s.last_seen_at for c in valid if (s := registry.sighting(c.fingerprint))]
    return [LockedOut(client.client_id, max(seen, default=None), "it would be suspended")]


def confirm_lock_out(found: list[LockedOut], named: int | None, what: str) -> None:
    """Raises LockOutRefused unless nobody is locked out or `named` is exactly how many are."""
    if not found or named == len(found):
        return
    shown = ", ".join(f"{each.client_id} ({_seen(each)})" for each in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    many = f"{len(found)} active client{'s' if len(found) != 1 else ''}"
    instead = f", not the {named} you named" if named is not None else ""
    raise LockOutRefused(
        f"{what} would lock out {many}{instead}: {shown}{more}", hint=f"pass --lock-out {len(found)} if that is meant"
    )


def _last_seen(held: Iterable[Holding]) -> int | None:
    return max((h.last_seen_at for h in held if h.last_seen_at is not None), default=None)


def _seen(each: LockedOut) -> str:
    if each.last_seen_at is None:
        return "never seen"
    return f"last seen {datetime.fromtimestamp(each.last_seen_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
