"""A registry in memory with a clock of its own, for the pure parts of the gateway."""

from datetime import datetime, timedelta

from handclasp.authority.recording import issuer_record
from handclasp.authorizer.decision import Decision, Policy, Presented, Registered, decide
from handclasp.gateway.follow import Follower
from handclasp.gateway.issuer_trust import issuer_trust
from handclasp.gateway.table import Table
from handclasp.pki.pem import certificate_pem, load_certificates
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.records import (
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    IssuerKind,
    IssuerStatus,
    RevocationReason,
    Standing,
)
from handclasp.truststore.memory import MemoryTruststore
from tests.gateway.entries import certificate, client
from tests.gateway.fakes import FakeProxy
from tests.making import NOW, intermediate, root

ROOT = issuer_record(root().certificate, kind=IssuerKind.ROOT, key_name=None, parent_id=None, now=NOW)
ISSUER = issuer_record(
    intermediate().certificate, kind=IssuerKind.INTERMEDIATE, key_name=None, parent_id=ROOT.issuer_id, now=NOW
)
BUNDLE = certificate_pem(root().certificate, intermediate().certificate)


class World:
    """One follower, its registry, its trust store, its proxy, and the time."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.now = NOW
        self.registry = MemoryRegistry()
        self.truststore = MemoryTruststore()
        self.truststore.publish(BUNDLE)
        self.proxy = FakeProxy()
        self.policy = policy or Policy()
        self._number = 0
        with self.registry.change() as change:
            change.add_issuer(ROOT)
            change.add_issuer(ISSUER)
        #: seconds on the clock that nobody sets
        self.elapsed = 0.0
        self.follower = Follower(
            self.registry, self.truststore, self.proxy, self.policy, lambda: self.now, lambda: self.elapsed
        )

    def step(self) -> bool:
        return self.follower.step()

    def settle(self) -> None:
        """Until nothing is left to tell, each table coming into force at once."""
        for _ in range(10):
            self.proxy.begin_to_act()
            if not self.step() and self.proxy.written is None:
                return
        raise AssertionError("the follower does not come to rest")

    def enrol(
        self,
        name: str,
        environment: str = "prod",
        not_before: datetime = NOW - timedelta(minutes=10),
        not_after: datetime = NOW + timedelta(days=30),
    ) -> str:
        """A client with one certificate: its fingerprint."""
        self._number += 1
        made = certificate(name, self._number, not_before=not_before, not_after=not_after, issuer_id=ISSUER.issuer_id)
        with self.registry.change() as change:
            change.add_client(client(name, environment=environment))
            change.add_certificate(made)
        return made.fingerprint

    def set_client(self, name: str, status: ClientStatus) -> None:
        with self.registry.change() as change:
            change.set_client_status(name, status)

    def suspend(self, name: str) -> None:
        self.set_client(name, ClientStatus.SUSPENDED)

    def resume(self, name: str) -> None:
        self.set_client(name, ClientStatus.ACTIVE)

    def revoke(self, name: str) -> None:
        with self.registry.change() as change:
            for each in change.certificates(name):
                change.set_certificate_status(
                    each, CertificateStatus.REVOKED, at=0, reason=RevocationReason.KEY_COMPROMISE
                )

    def set_issuer(self, status: IssuerStatus) -> None:
        with self.registry.change() as change:
            change.set_issuer_status(ISSUER.issuer_id, status)

    def decision(self, standing: Standing) -> Decision:
        """What the decision function says of it, asked directly."""
        return decide_directly(self, standing.certificate, standing.client)

    def should_pass(self) -> set[str]:
        return {s.certificate.fingerprint for s in self.registry.standings() if self.decision(s).allow}

    def fresh_table(self) -> Table:
        """The table somebody who starts now would have."""
        table = Table(self.policy)
        moment = int(self.now.timestamp())
        bundle = self.truststore.read() or b""
        table.trust(
            issuer_trust(self.registry.issuers(), load_certificates(bundle) if bundle else [], self.now), moment
        )
        table.apply(self.registry.standings(), moment)
        return table


def decide_directly(world: World, made: Certificate, owner: Client) -> Decision:
    bundle = world.truststore.read()
    issuers = {i.issuer_id: i for i in world.registry.issuers()}
    issuer = issuers[made.issuer_id]
    now = int(world.now.timestamp())
    trusted = (
        bool(bundle) and issuer.status is not IssuerStatus.RETIRED and issuer.not_before <= now <= issuer.not_after
    )
    return decide(
        Presented(made.fingerprint, trusted, True, made.not_before, made.not_after),
        Registered(made.fingerprint, owner.client_id, owner.environment, made.status.value, owner.status.value),
        world.policy,
        now,
    )
