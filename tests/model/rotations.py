"""Operations as the commands run them: begun, taken up, abandoned, each with a fault or without."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from handclasp.authority.operations.operation import Run, Step, perform
from handclasp.authority.operations.taking import abandon, begin, take_up
from handclasp.authority.probe import Probe
from handclasp.authority.rotation.gateway_evidence import Answer, Evidence
from handclasp.authority.rotation.lock_out import LockedOut, locked_out
from handclasp.authority.rotation.reissue import Reissue
from handclasp.authority.rotation.rotate_clients import ROTATE_CLIENTS, ClientRotation, client_rotation_steps
from handclasp.authority.rotation.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT, Rotation, issuer_rotation_steps
from handclasp.authority.rotation.withdraw import withdraw_pending
from handclasp.registry.fleet import Gateway
from handclasp.registry.operations import Operation
from tests.authority.conftest import PASSPHRASE, Authority
from tests.model.faults import Fault
from tests.model.world import World

SETTLE = 60
#: Each of a rotation's steps, and None for all of them.
UNTIL = ("publish", "confirm", "activate", "reissue", "idle", "supersede", "retire", None)


@dataclass(frozen=True)
class Due:
    """Without jitter: certificates are random, and a story is told twice in the same way."""

    due_percent: int = 66
    jitter_percent: int = 0


def rotate(
    world: World, kind: str, arguments: dict[str, Any], *, fault: Fault | None, until: str | None = None
) -> Operation:
    authority = world.authority(fault)
    steps = _steps(world, authority, kind, arguments, None)
    apart = () if kind == ROTATE_CLIENTS else (ROTATE_ISSUER, ROTATE_ROOT)
    operation = begin(kind, arguments, steps, registry=authority.registry, actor="tester", apart_from=apart)
    return _performed(world, authority, operation, steps, fault, until)


def resume(world: World, operation: Operation, *, fault: Fault | None, agreeing: bool) -> Operation:
    """With `agreeing`, the operator names the number that the operation said it waits for."""
    authority = world.authority(fault)
    found = re.search(r"--lock-out (\d+)", operation.waiting_for or "")
    lock_out = int(found[1]) if agreeing and found else None
    if lock_out is not None:
        world.agreed |= {each.client_id for each in would_be_cut_off(world, operation)}
    steps = _steps(world, authority, operation.kind, json.loads(operation.arguments), lock_out)
    taken = take_up(operation.operation_id, registry=authority.registry, actor="tester")
    return _performed(world, authority, taken, steps, fault, None)


def give_up(world: World, operation: Operation, *, fault: Fault | None) -> None:
    authority = world.authority(fault)
    given_up = abandon(operation.operation_id, registry=authority.registry, actor="tester")
    withdraw_pending(
        given_up,
        registry=authority.registry,
        truststore=authority.truststore,
        actor="tester",
        now=world.machine_time(),
    )


def would_be_cut_off(world: World, operation: Operation) -> list[LockedOut]:
    """By the retirement of what this operation replaces, as an operator who agrees is told."""
    old = set(json.loads(operation.state).get("old", []))
    return list(locked_out(world.seen, old, now=int(world.now), in_use_since=0))


def _performed(
    world: World,
    authority: Authority,
    operation: Operation,
    steps: Sequence[Step],
    fault: Fault | None,
    until: str | None,
) -> Operation:
    run = Run(authority.registry, operation, "tester", lambda seconds: world.wait(seconds, fault))
    return perform(run, steps, until=until)


def _steps(
    world: World, authority: Authority, kind: str, arguments: dict[str, Any], lock_out: int | None
) -> Sequence[Step]:
    if kind == ROTATE_CLIENTS:
        rotation = ClientRotation(
            open_custody=lambda: authority.custody,
            delivery=authority.delivery,
            practice=authority.practice,
            due=Due(),
            settle=SETTLE,
            workers=0,
        )
        return client_rotation_steps(rotation, arguments)

    def ask(gateway: Gateway, probe: Probe) -> Answer:
        world.look()
        return Answer(world.lets_in(probe.certificate.fingerprint), "as the table has it")

    def reissues(issuer_id: str, deadline: int) -> list[Reissue]:
        def work(*, rekey: bool, own_csr: bool | None) -> Reissue:
            return Reissue(
                issuer_id=issuer_id,
                rekey=rekey,
                select=lambda held: own_csr in {None, held.certificate.own_csr},
                supersede_at=lambda _: deadline,
                open_custody=lambda: authority.custody,
                delivery=authority.delivery,
                practice=authority.practice,
                workers=0,
            )

        if not arguments["rekey"]:
            return [work(rekey=False, own_csr=None)]
        return [work(rekey=True, own_csr=False), work(rekey=False, own_csr=True)]

    def agree(found: list[LockedOut]) -> bool:
        world.agreed |= {each.client_id for each in found}
        return True

    return issuer_rotation_steps(
        kind,
        Rotation(
            custody=authority.custody,
            truststore=authority.truststore,
            evidence=Evidence(authority.custody, authority.practice, ask, patience=5),
            passphrase=lambda: PASSPHRASE,
            reissue=reissues,
            lock_out=lock_out,
            agree=agree,
            clock=lambda: datetime.fromtimestamp(world.now + world.ahead, UTC),
        ),
    )
