"""The model: what may happen to an authority, in any order; what holds is in `invariants`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from handclasp.authority.enrol import Enrolment, Issued, enrol, renew
from handclasp.authority.handover import hand_over
from handclasp.authority.publish import publish
from handclasp.authority.revoke import resume_client, revoke_certificate, revoke_client, suspend_client
from handclasp.authority.rotate_clients import ROTATE_CLIENTS, client_rotation_arguments
from handclasp.authority.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT
from handclasp.authority.supersede import supersede_due
from handclasp.errors import (
    AlreadyRegistered,
    HandclaspError,
    Interrupted,
    NotEstablished,
    NotRegistered,
    PathInvalid,
    RequestRejected,
    TransitionRefused,
    TruststoreRejected,
)
from handclasp.pki.identity import ClientId
from handclasp.pki.request import for_key
from handclasp.registry.operations import Operation, OperationStatus
from handclasp.registry.records import CertificateStatus, IssuerStatus, RevocationReason
from tests.making import key
from tests.model import invariants, rotations
from tests.model.faults import Fault, Kind, Killed
from tests.model.ledger import Ledger, Picture
from tests.model.oracle import is_valid_at
from tests.model.world import World

_NAMES = {"acme": "prod", "beta": "prod", "gamma": "prod", "guest": "test"}
_DAY = 86_400

names = st.sampled_from(sorted(_NAMES))
#: The number of a key that the client brings itself, or None: any client may bring any key.
own_keys = st.one_of(st.none(), st.none(), st.integers(0, 5))
faults = st.one_of(
    st.none(), st.none(), st.builds(Fault, st.integers(1, 120), st.sampled_from([Kind.KILL, Kind.ERROR]))
)
short_faults = st.one_of(
    st.none(), st.none(), st.builds(Fault, st.integers(1, 24), st.sampled_from([Kind.KILL, Kind.ERROR]))
)
firsts = st.sampled_from(["go on", "go on", "go on", "abandon", "nothing"])
interruptions = st.builds(Fault, st.integers(1, 30), st.just(Kind.INTERRUPT))
reasons = st.sampled_from([RevocationReason.SUPERSEDED, RevocationReason.KEY_COMPROMISE, RevocationReason.UNSPECIFIED])


class Model(RuleBasedStateMachine):
    """`open_world` makes the adapters. Draws never depend on what happened, so a story can be told again."""

    open_world: ClassVar[Callable[..., World]]

    @initialize(has_gateway=st.booleans(), awake=st.sets(names), enrolled=st.dictionaries(names, own_keys, min_size=1))
    def begin(self, has_gateway: bool, awake: set[str], enrolled: dict[str, int | None]) -> None:
        self.world = type(self).open_world(has_gateway=has_gateway)
        self.world.awake = awake
        self.ledger = Ledger(self.world, Picture.of(self.world.seen))
        self.world.at_each_wait = lambda: invariants.check_nobody_is_cut_off(self.world, self.ledger)
        #: leases that a killed run has left, and whether a publication may have been cut short
        self.left_behind: set[str] = set()
        self.unpublished = False
        self.copies: dict[str, list[str]] = {}
        for name, own in sorted(enrolled.items()):
            self._issue(enrol, name, own, None, None)

    # What an operator does

    @rule(name=names, own=own_keys, days=st.sampled_from([None, None, 1]), fault=short_faults)
    def enrol(self, name: str, own: int | None, days: int | None, fault: Fault | None) -> None:
        self._issue(enrol, name, own, days, fault)

    @rule(name=names, own=own_keys, days=st.sampled_from([None, None, 1]), fault=short_faults)
    def renew(self, name: str, own: int | None, days: int | None, fault: Fault | None) -> None:
        self._issue(renew, name, own, days, fault)

    def _issue(
        self, how: Callable[..., Issued], name: str, own: int | None, days: int | None, fault: Fault | None
    ) -> None:
        authority = self.world.authority(fault)
        request = None if own is None else for_key(key(number=10 + own))
        enrolment = Enrolment(ClientId(name), _NAMES[name], "shop", request=request, days=days)

        def work() -> None:
            issued = how(
                enrolment,
                registry=authority.registry,
                custody=authority.custody,
                practice=authority.practice,
                actor="tester",
                now=authority.now,
            )
            hand_over(issued, [authority.delivery], registry=authority.registry, now=authority.now)
            assert is_valid_at(issued.certificate.der, int(self.world.now)) or self._out_of_time()

        refusals = (AlreadyRegistered, NotRegistered, RequestRejected, TransitionRefused)
        self._do(work, fault, *refusals)

    @rule(name=names, reason=reasons)
    def revoke(self, name: str, reason: RevocationReason) -> None:
        held = {f for f, c in self.ledger.picture.certificates.items() if c.client_id == name}
        self.ledger.taken |= held
        ports = {"registry": self.world.sound.registry, "actor": "tester", "now": self.world.machine_time()}
        self._do(lambda: revoke_client(name, reason=reason, **ports), None, NotRegistered)  # type: ignore[arg-type]

    @rule(name=names, which=st.integers(0, 5), reason=reasons)
    def revoke_one(self, name: str, which: int, reason: RevocationReason) -> None:
        held = self.world.seen.certificates(name)
        if not held:
            return
        chosen = held[which % len(held)]
        # One that was being delivered in its place when the run was killed goes with it.
        self.ledger.taken |= {chosen.fingerprint, *(c.fingerprint for c in held if c.delivered_at is None)}
        self._do(
            lambda: revoke_certificate(
                name,
                chosen.serial_number,
                registry=self.world.sound.registry,
                reason=reason,
                actor="tester",
                now=self.world.machine_time(),
            ),
            None,
        )

    @rule(name=names, how=st.sampled_from([suspend_client, resume_client, resume_client]), fault=short_faults)
    def suspend_or_resume(self, name: str, how: Callable[..., object], fault: Fault | None) -> None:
        registry = self.world.authority(fault).registry
        now = self.world.machine_time()
        self._do(lambda: how(name, registry=registry, actor="tester", now=now), fault, NotRegistered, TransitionRefused)

    @rule(fault=short_faults)
    def publish(self, fault: Fault | None) -> None:
        self._do(lambda: self._publish(fault), fault)

    def _publish(self, fault: Fault | None) -> None:
        authority = self.world.authority(fault)
        publish(registry=authority.registry, truststore=authority.truststore, actor="tester", now=authority.now)
        self.unpublished = False

    # Operations

    @rule(
        first=firsts,
        name=st.one_of(st.none(), names),
        due=st.booleans(),
        rekey=st.booleans(),
        overlap=st.sampled_from([60, _DAY]),
        fault=st.one_of(faults, interruptions),
    )
    def rotate_clients(
        self, first: str, name: str | None, due: bool, rekey: bool, overlap: int, fault: Fault | None
    ) -> None:
        self._first(first, {ROTATE_CLIENTS})
        arguments = client_rotation_arguments(
            clients=None if name is None else [name], due=due, rekey=rekey, overlap_seconds=overlap
        )
        self._do(lambda: rotations.rotate(self.world, ROTATE_CLIENTS, arguments, fault=fault), fault, TransitionRefused)

    @rule(
        first=firsts,
        kind=st.sampled_from([ROTATE_ISSUER, ROTATE_ISSUER, ROTATE_ISSUER, ROTATE_ROOT]),
        rekey=st.booleans(),
        emergency=st.sampled_from([False, False, False, True]),
        until=st.sampled_from(rotations.UNTIL),
        fault=st.one_of(faults, interruptions),
    )
    def rotate_issuer(
        self, first: str, kind: str, rekey: bool, emergency: bool, until: str | None, fault: Fault | None
    ) -> None:
        self._first(first, {ROTATE_ISSUER, ROTATE_ROOT})
        arguments = {
            "idle_for": 60,
            "deadline": 600,
            "days": None,
            "rekey": rekey,
            "emergency": emergency,
            "reason": "keyCompromise" if emergency else None,
        }
        self._do(
            lambda: self._rotated(rotations.rotate(self.world, kind, arguments, fault=fault, until=until)),
            fault,
            TransitionRefused,
        )

    @rule(fault=st.one_of(faults, interruptions), agreeing=st.booleans())
    def take_up(self, fault: Fault | None, agreeing: bool) -> None:
        for each in self.world.seen.operations(unfinished=True)[:1]:
            self._take_up(each, fault, agreeing=agreeing)

    @rule(fault=short_faults)
    def abandon(self, fault: Fault | None) -> None:
        for each in self.world.seen.operations(unfinished=True)[:1]:
            self._abandon(each, fault)

    def _first(self, first: str, kinds: set[str]) -> None:
        """What is done about an unfinished one of the kind before another is begun."""
        for each in self.world.seen.operations(unfinished=True):
            if each.kind in kinds and first == "go on":
                self._take_up(each, None, agreeing=True)
            elif each.kind in kinds and first == "abandon":
                self._abandon(each, None)

    def _take_up(self, operation: Operation, fault: Fault | None, *, agreeing: bool) -> None:
        self._do(lambda: self._rotated(rotations.resume(self.world, operation, fault=fault, agreeing=agreeing)), fault)

    def _abandon(self, operation: Operation, fault: Fault | None) -> None:
        self._do(lambda: rotations.give_up(self.world, operation, fault=fault), fault)

    def _rotated(self, operation: Operation) -> None:
        if operation.status is OperationStatus.DONE and operation.kind != ROTATE_CLIENTS:
            self.unpublished = False

    @rule(fault=short_faults)
    def supersede(self, fault: Fault | None) -> None:
        registry = self.world.authority(fault).registry
        self._do(
            lambda: supersede_due(
                registry=registry,
                actor="tester",
                settle=rotations.SETTLE,
                wait=lambda seconds: self.world.wait(seconds, fault),
            ),
            fault,
        )

    # Clients and time

    @rule(name=names, which=st.integers(0, 3))
    def call(self, name: str, which: int) -> None:
        """With the files as they are, or with a copy from before."""
        copies = self.copies.get(name, [])
        if copies:
            self.world.call(name, copies[-1 - which % len(copies)])

    @rule(seconds=st.sampled_from([1, 30, 600, 3_600, _DAY + 1, 10 * _DAY, 21 * _DAY, 40 * _DAY]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(which=st.integers(0, 9), offset=st.integers(-1, 1))
    def pass_time_to_an_end(self, which: int, offset: int) -> None:
        """To the second in which something begins or ends to be valid, or the one beside it."""
        picture, now = self.ledger.picture, self.world.now
        moments = {
            moment
            for c in (*picture.certificates.values(), *picture.issuers.values())
            for moment in (c.not_before, c.not_after)
        }
        following = sorted(moment + offset for moment in moments if moment + offset > now)
        if following:
            self.world.pass_time(following[which % len(following)] - now)

    @rule(offset=st.integers(-2, 1))
    def pass_time_to_the_years_end(self, offset: int) -> None:
        year = datetime.fromtimestamp(self.world.now + 3, UTC).year
        self.world.pass_time(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp() + offset - self.world.now)

    @rule(seconds=st.sampled_from([1, 60, 600]))
    def set_the_clock_back(self, seconds: int) -> None:
        self.world.pass_time(-seconds)

    @rule(seconds=st.sampled_from([-600, 0, 600]))
    def set_the_authoritys_clock(self, seconds: int) -> None:
        self.world.ahead = seconds

    # What holds

    def _do(self, work: Callable[[], object], fault: Fault | None, *refusals: type[HandclaspError]) -> None:
        """Without a fault only `refusals` are errors, and what the time forbids."""
        struck = True
        try:
            work()
            struck = fault is not None and fault.struck
        except Killed:
            pass
        except Interrupted:
            struck = False
        except HandclaspError as error:
            struck = fault is not None and fault.struck
            if not struck and not isinstance(error, refusals):
                if not (self._out_of_time() and isinstance(error, TIME)):
                    raise
                self.unpublished = True
        held = {each.operation_id for each in self.world.seen.operations() if each.holder}
        self.left_behind = held if struck else self.left_behind & held
        assert held == self.left_behind, "a lease was left behind"
        self.unpublished = self.unpublished or struck
        self.world.look()
        self.ledger.take_in()

    def _out_of_time(self) -> bool:
        """Whether there is an issuer that is not valid now, by whoever's clock."""
        moments = (int(self.world.now), int(self.world.now + self.world.ahead))
        known = [i for i in self.world.seen.issuers() if i.status is not IssuerStatus.RETIRED]
        # An issuer signs nothing in the last second of its own validity: hence the second one.
        return not all(
            is_valid_at(i.der, moment) and is_valid_at(i.der, moment + 1) for i in known for moment in moments
        )

    @invariant()
    def everything_holds(self) -> None:
        world, ledger = self.world, self.ledger
        world.look()
        for name in _NAMES:
            newest = world.newest(name)
            copies = self.copies.setdefault(name, [])
            if newest is not None and newest not in copies:
                copies.append(newest)
        invariants.check_decisions(world, ledger)
        invariants.check_nobody_is_cut_off(world, ledger)
        invariants.check_deliveries(world, ledger)
        invariants.check_keys(world)
        invariants.check_operations(world)
        half_way = any(o.step in {"create", "publish", "retire"} for o in world.seen.operations(unfinished=True))
        invariants.check_trust_store(world, orderly=not self.unpublished and not half_way)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()


TIME = (PathInvalid, TruststoreRejected, NotEstablished)
