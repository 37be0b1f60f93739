"""Rotate the intermediate, or the root with it: trust is added before it is used and removed after nobody uses it.

    create     the new issuer, pending; the root's passphrase is needed here and never again
    publish    the trust store with old and new
    confirm    a canary certificate of the new issuer passes through every gateway that lives
    activate   from here on the new one issues
    reissue    every client's certificate again, delivered beside the old
    idle       until the gateways have seen nobody with an old certificate for so long, or the deadline
    supersede  what is left of the old certificates
    retire     the old issuer out of the trust store, and refused: a canary of it shows that it is

Each step can be killed anywhere and done again. With an emergency nobody is waited for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from handclasp.authority.operations.operation import Run, Step
from handclasp.authority.probe import Probe, revoke_probe
from handclasp.authority.publish import publish
from handclasp.authority.recording import epoch
from handclasp.authority.rotation.gateway_evidence import Evidence, confirm, issue_canaries
from handclasp.authority.rotation.idle import wait_until_idle
from handclasp.authority.rotation.lock_out import LockedOut, confirm_lock_out, locked_out
from handclasp.authority.rotation.new_issuer import NewIssuers, new_hierarchy, new_intermediate
from handclasp.authority.rotation.reissue import Reissue, reissue
from handclasp.custody.port import Custody
from handclasp.errors import Interrupted
from handclasp.registry.records import CertificateStatus, IssuerStatus, RevocationReason
from handclasp.truststore.port import Truststore

ROTATE_ISSUER = "rotate-issuer"
ROTATE_ROOT = "rotate-root"
#: The step that is not done with `--until re-issued`.
AFTER_REISSUE = "idle"

_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the steps need beside the operation's own arguments.

    `passphrase` asks for the root's when it is needed; `reissue` makes the re-issue of one old issuer's certificates,
    to be superseded at the given time; `lock_out` is the number of clients the operator agreed to lock out, and
    `agree` asks for an emergency's confirmation.
    """

    custody: Custody
    truststore: Truststore
    evidence: Evidence
    passphrase: Callable[[], bytes]
    reissue: Callable[[str, int], list[Reissue]]
    lock_out: int | None = None
    agree: Callable[[list[LockedOut]], bool] = lambda _: False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def issuer_rotation_steps(kind: str, rotation: Rotation) -> tuple[Step, ...]:
    """`kind` is ROTATE_ISSUER or ROTATE_ROOT: they differ in what is created."""

    def step(name: str, title: str, do: Callable[[Run, Rotation], None]) -> Step:
        return Step(name, title, lambda run: do(run, rotation))

    return (
        step("create", "create the new issuer", _create_root if kind == ROTATE_ROOT else _create_intermediate),
        step("publish", "publish the trust store with both", _publish),
        step("confirm", "see every gateway let the new issuer's certificate in", _confirm),
        step("activate", "issue from the new issuer", _activate),
        step("reissue", "re-issue every client's certificate", _reissue),
        step("idle", "wait until nobody uses the old issuer's certificates", _idle),
        step("supersede", "supersede what is left of them", _supersede),
        step("retire", "take the old issuer out of the trust store", _retire),
    )


def _create_intermediate(run: Run, rotation: Rotation) -> None:
    _create(run, rotation, new_intermediate)


def _create_root(run: Run, rotation: Rotation) -> None:
    _create(run, rotation, new_hierarchy)


def _create(run: Run, rotation: Rotation, make: Callable[..., NewIssuers]) -> None:
    if "new" in run.state:
        return
    now = rotation.clock()
    urls = rotation.evidence.practice.urls
    issuers = make(run.registry, rotation.custody, rotation.passphrase, urls, days=run.arguments.get("days"), now=now)
    with run.registry.change() as change:
        for made in issuers.made:
            change.add_issuer(made)
            run.record(
                change,
                f"{made.kind}.create",
                made.issuer_id,
                subject=made.subject,
                fingerprint=made.fingerprint,
                not_after=made.not_after,
                after=made.status.value,
            )
        run.save(change, new=[i.issuer_id for i in issuers.made], old=[i.issuer_id for i in issuers.replaced])
    for made in issuers.made:
        run.tell(f"{made.kind} {made.subject} is made", issuer=made.issuer_id)


def _publish(run: Run, rotation: Rotation) -> None:
    done = publish(registry=run.registry, truststore=rotation.truststore, actor=run.actor, now=rotation.clock())
    run.tell(f"{done.location} holds {done.certificates} certificates")


def _confirm(run: Run, rotation: Rotation) -> None:
    canaries = issue_canaries(run, rotation.evidence, run.state["new"][-1], rotation.clock())
    try:
        confirmed = confirm(run, rotation.evidence, canaries, let_in=True)
    finally:
        _revoke(run, canaries, rotation)
    if not confirmed:
        run.tell("no gateway reports: nothing to confirm")


def _activate(run: Run, rotation: Rotation) -> None:  # noqa: ARG001 - a step's signature
    with run.registry.change() as change:
        known = {issuer.issuer_id: issuer for issuer in change.issuers()}
        for issuer_id in run.state["new"]:
            if known[issuer_id].status is IssuerStatus.PENDING:
                change.set_issuer_status(issuer_id, IssuerStatus.ACTIVE)
                run.record(change, f"{known[issuer_id].kind}.activate", issuer_id, before="pending", after="active")
        run.save(change)


def _reissue(run: Run, rotation: Rotation) -> None:
    deadline = run.state.get("deadline") or run.registry.now() + int(_duration(run, "deadline").total_seconds())
    if "deadline" not in run.state:
        run.remember(deadline=deadline)
    for issuer_id in _old_intermediates(run):
        if run.state.get("reissuing") != issuer_id:
            if issuer_id in run.state.get("reissued", []):
                continue
            with run.registry.change() as change:
                run.save(change, cursor="", reissuing=issuer_id)
        for work in rotation.reissue(issuer_id, deadline):
            reissue(run, work)
        run.remember(reissued=[*run.state.get("reissued", []), issuer_id], reissuing=None)


def _idle(run: Run, rotation: Rotation) -> None:
    old = frozenset(run.state["old"])
    if run.arguments.get("emergency"):
        found = list(locked_out(run.registry, old, now=epoch(rotation.clock()), in_use_since=0))
        _agree(run, rotation, found)
        return
    # What was enrolled between the choice of the old issuer and the new one's activation is re-issued here.
    wait_until_idle(
        run,
        old,
        idle_for=_duration(run, "idle_for"),
        deadline=run.state["deadline"],
        lock_out=rotation.lock_out,
        again=lambda issuer_id: _reissue_from(run, rotation, issuer_id),
        clock=rotation.clock,
    )


def _reissue_from(run: Run, rotation: Rotation, issuer_id: str) -> None:
    with run.registry.change() as change:
        run.save(change, cursor="")
    for work in rotation.reissue(issuer_id, run.state["deadline"]):
        reissue(run, work)


def _agree(run: Run, rotation: Rotation, found: list[LockedOut]) -> None:
    """Raises Interrupted when the operator does not agree to lock these out now."""
    run.tell(f"{len(found)} active clients will be cut off", locked_out=[each.client_id for each in found])
    if rotation.lock_out is not None:
        confirm_lock_out(found, rotation.lock_out, "retiring the old issuer now")
    elif not rotation.agree(found):
        raise Interrupted(f"operation {run.operation.operation_id} waits for a yes", hint=f"{run.resume_hint} --yes")


def _supersede(run: Run, rotation: Rotation) -> None:  # noqa: ARG001 - a step's signature
    """In chunks, so that a revocation never waits long behind one."""
    emergency = bool(run.arguments.get("emergency"))
    reason = RevocationReason.CA_COMPROMISE if emergency else RevocationReason.SUPERSEDED
    total = sum(run.registry.holders(issuer_id=issuer_id) for issuer_id in _old_intermediates(run))
    done = 0
    for issuer_id in _old_intermediates(run):
        while held := run.registry.holdings(issuer_id=issuer_id, clients=_CHUNK):
            run.check()
            with run.registry.change() as change:
                for each in held:
                    known = change.certificate(issuer_id, each.certificate.serial_number)
                    if known.status is not CertificateStatus.ACTIVE:
                        continue
                    change.set_certificate_status(known, CertificateStatus.REVOKED, at=change.now(), reason=reason)
                    run.record(
                        change,
                        "certificate.supersede",
                        each.client.client_id,
                        serial_number=known.serial_number,
                        before="active",
                        after="revoked",
                        reason=reason.value,
                    )
                run.save(change)
            done += len(held)
            run.progress(min(done, total), total)


def _retire(run: Run, rotation: Rotation) -> None:
    old = run.state["old"]
    canaries = {} if run.state.get("retired") else _old_canaries(run, rotation)
    with run.registry.change() as change:
        known = {issuer.issuer_id: issuer for issuer in change.issuers()}
        for issuer_id in old:
            if known[issuer_id].status is not IssuerStatus.RETIRED:
                change.set_issuer_status(issuer_id, IssuerStatus.RETIRED)
                run.record(
                    change,
                    f"{known[issuer_id].kind}.retire",
                    issuer_id,
                    before=known[issuer_id].status.value,
                    after="retired",
                    reason=run.arguments.get("reason"),
                )
        run.save(change, retired=True)
    _publish(run, rotation)
    confirm(run, rotation.evidence, canaries, let_in=False)
    # The canaries too, and those of a run that was killed here.
    _supersede(run, rotation)


def _old_canaries(run: Run, rotation: Rotation) -> dict[str, Probe]:
    """Certificates of the old issuer that pass now: only so does it mean something that they are refused later.

    Nothing when its key is not ours to sign with, or it is over and signs nothing.
    """
    known, now = _old_intermediates(run), epoch(rotation.clock())
    old = [i for i in run.registry.issuers() if i.issuer_id in known and i.key_name and now < i.not_after]
    if not old:
        return {}
    canaries = issue_canaries(run, rotation.evidence, old[-1].issuer_id, rotation.clock())
    confirm(run, rotation.evidence, canaries, let_in=True)
    return canaries


def _revoke(run: Run, canaries: dict[str, Probe], rotation: Rotation) -> None:
    for canary in canaries.values():
        revoke_probe(canary, registry=run.registry, actor=run.actor, now=rotation.clock())


def _old_intermediates(run: Run) -> list[str]:
    kinds: dict[str, Any] = {issuer.issuer_id: issuer for issuer in run.registry.issuers()}
    return [issuer_id for issuer_id in run.state["old"] if kinds[issuer_id].parent_id is not None]


def _duration(run: Run, name: str) -> timedelta:
    return timedelta(seconds=run.arguments[name])
