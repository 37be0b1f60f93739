"""Whatever happens in whatever order: nobody passes whom the decision denies, and at rest both say the same."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from handclasp.authorizer.decision import Policy
from handclasp.registry.records import ClientStatus, IssuerStatus
from tests.gateway.world import BUNDLE, World
from tests.making import NOW

_NAMES = [f"client-{number}" for number in range(4)]
#: Is the follower asked right after the change, or only after some more?
_AT_ONCE = st.sampled_from([True, True, True, False])
#: Revocation is final, so it would end most stories early.
_STATUS = st.sampled_from([ClientStatus.ACTIVE, ClientStatus.SUSPENDED] * 3 + [ClientStatus.REVOKED])


class Following(RuleBasedStateMachine):
    """After each `step` the proxy may begin to use a new table at any moment, or take its time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(Policy(frozenset({"prod"})))
        self.statuses: dict[str, ClientStatus] = {}
        self.told = True
        self.world.step()

    @precondition(lambda self: len(self.statuses) < len(_NAMES))
    @rule(
        environment=st.sampled_from(["prod", "prod", "test"]),
        starts=st.integers(-5, 20),
        lasts=st.integers(30, 90),
        at_once=_AT_ONCE,
    )
    def enrol(self, environment: str, starts: int, lasts: int, at_once: bool) -> None:
        name = _NAMES[len(self.statuses)]
        begin = self.world.now + timedelta(seconds=starts)
        self.world.enrol(name, environment, begin, begin + timedelta(seconds=lasts))
        self.statuses[name] = ClientStatus.ACTIVE
        self._changed(at_once)

    @rule(name=st.sampled_from(_NAMES), status=_STATUS, at_once=_AT_ONCE)
    def change_client(self, name: str, status: ClientStatus, at_once: bool) -> None:
        if self.statuses.get(name, ClientStatus.REVOKED) is not ClientStatus.REVOKED:
            self.world.set_client(name, status)
            self.statuses[name] = status
            self._changed(at_once)

    @rule(name=st.sampled_from(_NAMES), at_once=_AT_ONCE)
    def revoke_certificate(self, name: str, at_once: bool) -> None:
        if name in self.statuses:
            self.world.revoke(name)
            self._changed(at_once)

    @rule(status=st.sampled_from(IssuerStatus), at_once=_AT_ONCE)
    def change_issuer(self, status: IssuerStatus, at_once: bool) -> None:
        self.world.set_issuer(status)
        self._changed(at_once)

    @rule(bundle=st.sampled_from([BUNDLE, b""]), at_once=_AT_ONCE)
    def change_trust(self, bundle: bytes, at_once: bool) -> None:
        self.world.truststore.publish(bundle)
        self._changed(at_once)

    @rule(seconds=st.integers(1, 30), at_once=_AT_ONCE)
    def pass_time(self, seconds: int, at_once: bool) -> None:
        self.world.now += timedelta(seconds=seconds)
        self._changed(at_once)

    @rule()
    def begin_to_act(self) -> None:
        self.world.proxy.begin_to_act()

    def _changed(self, at_once: bool) -> None:
        self.told = False
        if at_once:
            self.step()

    @rule()
    def step(self) -> None:
        if not self.told:
            # A trust store somebody else replaced is seen when its time has come: here, always.
            self.world.follower.source.trust_checked = 0
        self.world.step()
        self.told = True

    @invariant()
    def nobody_passes_whom_the_decision_denies(self) -> None:
        if self.told:
            assert self.world.proxy.may_let_in() <= self.world.should_pass()

    def teardown(self) -> None:
        self.world.follower.source.trust_checked = 0
        self.world.settle()
        assert self.world.proxy.lets_in() == self.world.should_pass()
        for standing in self.world.registry.standings():
            fingerprint = standing.certificate.fingerprint
            expected = self.world.decision(standing).reason
            found = self.world.proxy.kills.get(fingerprint, self.world.proxy.acting[fingerprint].reason)
            assert found is expected
        assert self.world.follower._table.entries == self.world.fresh_table().entries
        assert self.world.now >= NOW


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=50, stateful_step_count=20)
