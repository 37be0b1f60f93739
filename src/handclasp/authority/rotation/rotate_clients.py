"""Rotate clients: each is given another certificate beside the one it has, and the old one goes when it has gone over.

    reissue    sign, record and deliver, client by client
    supersede  what is due at once; the rest is a matter of time, and of `supersede_due` in the schedule

The operation's arguments say all there is to know, so that any process can take it up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from handclasp.authority.operations.operation import Run, Step
from handclasp.authority.practice import Practice
from handclasp.authority.probe import is_reserved
from handclasp.authority.rotation.due import Rotation, is_due
from handclasp.authority.rotation.holders import by_client
from handclasp.authority.rotation.reissue import Reissue, reissue
from handclasp.authority.rotation.reissue_choice import choose
from handclasp.authority.rotation.replacement import is_replaced
from handclasp.authority.rotation.signing_pool import OpenCustody
from handclasp.authority.rotation.supersede import supersede_due
from handclasp.delivery.port import Delivery
from handclasp.registry.port import Registry
from handclasp.registry.records import Client, Holding

ROTATE_CLIENTS = "rotate-clients"
_NEVER_DELIVERED = "its newest certificate was never delivered: enrol or renew it again"
#: Certificates a second, on the slowest machine this was measured on: for `--dry-run`.
REISSUED_PER_SECOND = 500
#: And with new RSA keys, of which a processor makes about so many.
RSA_KEYS_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class ClientRotation:
    """What the steps need beside the operation's own arguments. `settle` is in seconds."""

    open_custody: OpenCustody
    delivery: Delivery
    practice: Practice
    due: Rotation
    settle: int
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A line of the plan: the certificate to be replaced and by which key, or why the client is left alone."""

    client: Client
    serial_number: str
    not_after: int
    action: str
    why: str = ""

    @property
    def is_renewed(self) -> bool:
        return not self.why


def client_rotation_arguments(
    *, clients: Sequence[str] | None, due: bool, rekey: bool, overlap_seconds: int
) -> dict[str, Any]:
    """`clients` are names as registered (None: all of them); with `due` only what is due. JSON as it is."""
    named = None if clients is None else sorted(set(clients))
    return {"clients": named, "due": due, "rekey": rekey, "overlap": overlap_seconds}


def client_rotation_steps(rotation: ClientRotation, arguments: dict[str, Any]) -> tuple[Step, ...]:
    def supersede(run: Run) -> None:
        done = supersede_due(registry=run.registry, actor=run.actor, settle=rotation.settle, wait=partial(_sleep, run))
        if done.superseded:
            run.tell(f"{done.superseded} old certificates are superseded", superseded=done.superseded)
        if done.waiting:
            run.tell(f"{done.waiting} old certificates stay until their clients have gone over", waiting=done.waiting)
        for late in done.stragglers:
            run.tell(f"client {late.client_id}: {late.why}", client=late.client_id, straggler=True)

    def again(run: Run) -> None:
        reissue(run, _work(rotation, arguments, run.registry.now))

    return (
        Step("reissue", "give clients new certificates beside those they have", again),
        Step("supersede", "supersede what is no longer used", supersede),
    )


def plan(registry: Registry, rotation: Rotation, arguments: dict[str, Any]) -> Iterator[Planned]:
    """What the operation would do now, client by client; it writes nothing. Streams."""
    select = _selection(rotation, arguments, registry.now)
    for held in by_client(registry):
        choice = choose(
            held,
            rekey=arguments["rekey"],
            select=select,
            is_replaced=lambda certificate, held=held: is_replaced(registry, certificate, held),  # type: ignore[misc]
            now=registry.now(),
        )
        for renewal in choice.renewals:
            before = renewal.before
            key = "new key" if renewal.rekey else "same key"
            yield Planned(renewal.client, before.serial_number, before.not_after, key)
        for own in choice.own_key:
            why = "it made its own key: renewal due, it brings a new CSR"
            yield Planned(own.client, own.certificate.serial_number, own.certificate.not_after, "left alone", why)
        newest = held[-1]
        if not choice.renewals and not choice.own_key and select(newest) and not is_reserved(newest.client):
            certificate = newest.certificate
            yield Planned(
                newest.client, certificate.serial_number, certificate.not_after, "left alone", _NEVER_DELIVERED
            )


def is_anything_to_do(registry: Registry, rotation: Rotation, arguments: dict[str, Any]) -> bool:
    """Whether the operation would issue anything: a schedule that asks every minute begins none without need."""
    return any(planned.is_renewed for planned in plan(registry, rotation, arguments))


def seconds_needed(certificates: int, practice: Practice, *, rekey: bool) -> float:
    """By what was measured; RSA keys take longer to make than everything else together."""
    seconds = certificates / REISSUED_PER_SECOND
    if rekey and practice.key_algorithm.value.startswith("rsa"):
        seconds += certificates / RSA_KEYS_PER_SECOND
    return seconds


def _work(rotation: ClientRotation, arguments: dict[str, Any], now: Callable[[], int]) -> Reissue:
    overlap: int = arguments["overlap"]
    return Reissue(
        issuer_id=None,
        rekey=arguments["rekey"],
        select=_selection(rotation.due, arguments, now),
        supersede_at=lambda at: at + overlap,
        open_custody=rotation.open_custody,
        delivery=rotation.delivery,
        practice=rotation.practice,
        once=True,
        workers=rotation.workers,
    )


def _selection(rotation: Rotation, arguments: dict[str, Any], now: Callable[[], int]) -> Callable[[Holding], bool]:
    names = None if arguments["clients"] is None else {name.lower() for name in arguments["clients"]}
    only_due: bool = arguments["due"]

    def select(held: Holding) -> bool:
        if names is not None and held.client.client_id.lower() not in names:
            return False
        return not only_due or is_due(held.certificate, now(), rotation)

    return select


def _sleep(run: Run, seconds: float) -> bool:
    run.sleep(seconds)
    return False
