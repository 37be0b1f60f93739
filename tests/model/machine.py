"""The model's frame: how a story begins, how a step is taken, and what holds after each."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from handclasp.authority.enrol import Enrolment, Issued, enrol
from handclasp.authority.handover import hand_over
from handclasp.errors import (
    AlreadyRegistered,
    GatewayFailed,
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
from handclasp.registry.records import IssuerStatus
from tests.making import key
from tests.model import invariants
from tests.model.faults import Fault, Killed, Kind
from tests.model.ledger import Ledger, Picture
from tests.model.oracle import is_valid_at
from tests.model.world import World

#: Few, so that much happens to each. The gateway admits prod only.
NAMES = {"acme": "prod", "beta": "prod", "gamma": "prod", "guest": "test"}
#: What the time alone may forbid; a canary of an issuer that is over by the gateway's clock is not let in either.
TIME = (PathInvalid, TruststoreRejected, NotEstablished, GatewayFailed)

names = st.sampled_from(sorted(NAMES))
#: The number of a key that the client brings itself, or None: any client may bring any key.
own_keys = st.one_of(st.none(), st.none(), st.integers(0, 5))
_kinds = st.sampled_from([Kind.KILL, Kind.ERROR])
short_faults = st.one_of(st.none(), st.none(), st.builds(Fault, st.integers(1, 24), _kinds))


class Machine(RuleBasedStateMachine):
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
            self.issue(enrol, name, own, None, None)

    def issue(
        self, how: Callable[..., Issued], name: str, own: int | None, days: int | None, fault: Fault | None
    ) -> None:
        authority = self.world.authority(fault)
        request = None if own is None else for_key(key(number=10 + own))
        enrolment = Enrolment(ClientId(name), NAMES[name], "shop", request=request, days=days)

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
            assert is_valid_at(issued.certificate.der, int(self.world.now)) or self.is_out_of_time()

        refusals = (AlreadyRegistered, NotRegistered, RequestRejected, TransitionRefused)
        self.do(work, fault, *refusals)

    def do(self, work: Callable[[], object], fault: Fault | None, *refusals: type[HandclaspError]) -> None:
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
                if not (self.is_out_of_time() and isinstance(error, TIME)):
                    raise
                self.unpublished = True
        held = {each.operation_id for each in self.world.seen.operations() if each.holder}
        self.left_behind = held if struck else self.left_behind & held
        assert held == self.left_behind, "a lease was left behind"
        self.unpublished = self.unpublished or struck
        self.world.look()
        self.ledger.take_in()

    def is_out_of_time(self) -> bool:
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
        for name in NAMES:
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
