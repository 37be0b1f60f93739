"""What an operator does to clients, one command at a time."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from handclasp.authority.enrol import enrol, renew
from handclasp.authority.publish import publish
from handclasp.authority.revoke import resume_client, revoke_certificate, revoke_client, suspend_client
from handclasp.errors import NotRegistered, TransitionRefused
from handclasp.registry.records import RevocationReason
from tests.model.faults import Fault
from tests.model.machine import Machine, names, own_keys, short_faults

reasons = st.sampled_from([RevocationReason.SUPERSEDED, RevocationReason.KEY_COMPROMISE, RevocationReason.UNSPECIFIED])


class Operating(Machine):
    """Enrol, renew, revoke, suspend, resume, publish."""

    @rule(name=names, own=own_keys, days=st.sampled_from([None, None, 1]), fault=short_faults)
    def enrol(self, name: str, own: int | None, days: int | None, fault: Fault | None) -> None:
        self.issue(enrol, name, own, days, fault)

    @rule(name=names, own=own_keys, days=st.sampled_from([None, None, 1]), fault=short_faults)
    def renew(self, name: str, own: int | None, days: int | None, fault: Fault | None) -> None:
        self.issue(renew, name, own, days, fault)

    @rule(name=names, reason=reasons)
    def revoke(self, name: str, reason: RevocationReason) -> None:
        held = {f for f, c in self.ledger.picture.certificates.items() if c.client_id == name}
        self.ledger.taken |= held
        ports = {"registry": self.world.sound.registry, "actor": "tester", "now": self.world.machine_time()}
        self.do(lambda: revoke_client(name, reason=reason, **ports), None, NotRegistered)  # type: ignore[arg-type]

    @rule(name=names, which=st.integers(0, 5), reason=reasons)
    def revoke_one(self, name: str, which: int, reason: RevocationReason) -> None:
        held = self.world.seen.certificates(name)
        if not held:
            return
        chosen = held[which % len(held)]
        # One that was being delivered in its place when the run was killed goes with it.
        self.ledger.taken |= {chosen.fingerprint, *(c.fingerprint for c in held if c.delivered_at is None)}
        self.do(
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
        self.do(lambda: how(name, registry=registry, actor="tester", now=now), fault, NotRegistered, TransitionRefused)

    @rule(fault=short_faults)
    def publish(self, fault: Fault | None) -> None:
        self.do(lambda: self._publish(fault), fault)

    def _publish(self, fault: Fault | None) -> None:
        authority = self.world.authority(fault)
        publish(registry=authority.registry, truststore=authority.truststore, actor="tester", now=authority.now)
        self.unpublished = False
