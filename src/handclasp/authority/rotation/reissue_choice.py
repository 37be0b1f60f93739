"""Which of a client's certificates are issued again: pure.

A client may have several keys at work, one a device: each public key is a line of its own. Keeping keys, each line
gets a certificate. With new keys there is one new certificate, and it is delivered where each of the keys made here
was delivered in its time: so it replaces all of these. A key that the client made itself stays as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from handclasp.authority.probe import is_reserved
from handclasp.authority.rotation.bulk_signing import Order
from handclasp.registry.records import Certificate, Client, ClientStatus, Holding


@dataclass(frozen=True, slots=True)
class Renewal:
    """A certificate to issue again, and the others the new one takes the place of."""

    client: Client
    before: Certificate
    also: tuple[Certificate, ...]
    rekey: bool

    @property
    def replaces(self) -> tuple[Certificate, ...]:
        return (self.before, *self.also)

    def order(self) -> Order:
        client, before = self.client, self.before
        return Order(
            client.client_id,
            client.environment,
            client.application,
            before.der,
            before.subject,
            before.public_key_id,
            before.own_csr,
            self.rekey,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """What to issue again, and the clients whose own key we never had: only they can make themselves a new one."""

    renewals: tuple[Renewal, ...] = ()
    own_key: tuple[Holding, ...] = ()


_NOTHING = Choice()


def choose(
    held: Sequence[Holding],
    *,
    rekey: bool,
    select: Callable[[Holding], bool],
    is_replaced: Callable[[Certificate], bool],
    now: int,
) -> Choice:
    """`held` is what one client holds, oldest first. `is_replaced` tells whether another that lives took its place.

    Left alone: probes, revoked clients, what was never delivered, what has expired (but for a client's newest: who
    has slept too long is let in again), and what `select` refuses.
    """
    client = held[0].client
    if client.status is ClientStatus.REVOKED or is_reserved(client):
        return _NOTHING
    if len(held) == 1 and not held[0].certificate.own_csr:  # most clients, most of the time
        return _choose_only(held[0], rekey=rekey, select=select, is_replaced=is_replaced)
    lines = _lines(h for h in held if h.certificate.delivered_at is not None and not is_replaced(h.certificate))
    if not lines:
        return _NOTHING
    newest = lines[-1][-1]
    if rekey and newest.certificate.own_csr:
        return Choice(own_key=(newest,) if select(newest) else ())
    if rekey:
        others = (h.certificate for line in lines for h in line if h is not newest and not h.certificate.own_csr)
        return Choice((Renewal(client, newest.certificate, tuple(others), rekey),)) if select(newest) else _NOTHING
    return Choice(
        tuple(
            Renewal(client, line[-1].certificate, tuple(h.certificate for h in line[:-1]), rekey)
            for line in lines
            if select(line[-1]) and (line[-1] is newest or line[-1].certificate.not_after > now)
        )
    )


def _choose_only(
    only: Holding, *, rekey: bool, select: Callable[[Holding], bool], is_replaced: Callable[[Certificate], bool]
) -> Choice:
    certificate = only.certificate
    if certificate.delivered_at is None or is_replaced(certificate) or not select(only):
        return _NOTHING
    return Choice((Renewal(only.client, certificate, (), rekey),))


def _lines(held: Iterable[Holding]) -> list[list[Holding]]:
    """By public key, the line with the newest certificate last."""
    lines: dict[str, list[Holding]] = {}
    for each in held:
        key = each.certificate.public_key_id
        lines[key] = [*lines.pop(key, ()), each]
    return list(lines.values())
