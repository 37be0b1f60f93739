"""A state folder as `handclasp init` makes it, with as many clients as asked for, each with a real certificate."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from handclasp.authority.enrol import Enrolment, certify
from handclasp.authority.establish import HierarchyPlan, establish, make_intermediate, make_root
from handclasp.authority.issuers import signing_issuer
from handclasp.authority.publish import publish
from handclasp.authority.recording import epoch
from handclasp.cli.context import Session
from handclasp.pki.identity import client_id
from handclasp.pki.keys import seal
from handclasp.pki.pem import certificate_pem
from handclasp.registry.records import Client, ClientStatus

#: The size the goals name.
CLIENTS = 10_000
ACTOR = "bench"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client whose key was kept: `pem` holds it with the full chain, for a TLS context."""

    client_id: str
    pem: Path


@dataclass(frozen=True, slots=True)
class Deployment:
    """`trust_anchor` is the root's PEM file, which verifies the gateway."""

    session: Session
    trust_anchor: Path
    callers: list[Caller]


@contextmanager
def deployment(*, clients: int = CLIENTS, callers: int = 0) -> Iterator[Deployment]:
    """In a temporary folder, gone after the block. The first `callers` of the clients keep their keys."""
    with TemporaryDirectory(prefix="handclasp-bench-") as folder:
        session = Session(f"{folder}/state")
        session.state.mkdir(mode=0o700)
        try:
            anchor = Path(folder) / "ca.pem"
            anchor.write_bytes(establish_authority(session))
            kept = _register(session, clients, callers, Path(folder))
            publish(registry=session.registry, truststore=session.truststore, actor=ACTOR, now=session.now)
            yield Deployment(session, anchor, kept)
        finally:
            session.close()


def establish_authority(session: Session) -> bytes:
    """Root and intermediate; the root's PEM."""
    plan = HierarchyPlan()
    root = make_root(plan, session.now)
    assert root.key is not None
    establish(
        root,
        make_intermediate(plan, root.certificate, root.key, session.now),
        registry=session.create_registry(),
        custody=session.custody,
        passphrase=b"bench",
        actor=ACTOR,
        now=session.now,
    )
    return certificate_pem(root.certificate)


def _register(session: Session, clients: int, callers: int, folder: Path) -> list[Caller]:
    """All in one transaction, which `enrol` by its nature is not: certificates and rows are the same."""
    signing = signing_issuer(session.registry, session.custody, session.practice.urls)
    kept = []
    with session.registry.change() as change:
        for number in range(clients):
            name = client_id(f"client-{number:05d}")
            client = Client(name, "prod", "nextjs", "Platform team", None, ClientStatus.ACTIVE, epoch(session.now))
            asked = Enrolment(name, client.environment, client.application)
            certificate, signed, key = certify(client, asked, signing, session.practice, session.now)
            change.add_client(client)
            change.add_certificate(certificate)
            if number < callers:
                assert key is not None
                pem = folder / f"{name}.pem"
                pem.write_bytes(bytes(seal(key)) + certificate_pem(signed, *signing.chain))
                kept.append(Caller(name, pem))
    return kept
