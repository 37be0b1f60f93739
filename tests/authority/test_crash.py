"""Kill -9 at every write of every command: the next run works, and nothing is half done, unknown or open to others."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.authority.establish import HierarchyPlan, IssuerMaterial, establish, make_intermediate, make_root
from handclasp.authority.handover import hand_over
from handclasp.authority.publish import publish, trust_bundle
from handclasp.authority.revoke import revoke_client
from handclasp.errors import AlreadyEstablished, AlreadyRegistered
from handclasp.pki.keys import open_sealed
from handclasp.pki.naming import fingerprint
from handclasp.registry.audit_chain import broken_at
from handclasp.registry.records import CertificateStatus, ClientStatus, RevocationReason
from tests.authority.conftest import PASSPHRASE, Authority, on_disk
from tests.killing import killed_at
from tests.making import NOW

_PLAN = HierarchyPlan()
_ROOT = make_root(_PLAN, NOW)
assert _ROOT.key is not None
_INTERMEDIATE = make_intermediate(_PLAN, _ROOT.certificate, _ROOT.key, NOW)


def init(authority: Authority) -> None:
    authority.establish()


def init_by_import(authority: Authority) -> None:
    """The same keys each time: what was kept before the kill is in the way unless keeping it again is allowed."""
    establish(
        IssuerMaterial(_ROOT.certificate, _ROOT.key),
        _INTERMEDIATE,
        registry=authority.registry,
        custody=authority.custody,
        passphrase=PASSPHRASE,
        actor="tester",
        now=NOW,
    )


def add(authority: Authority) -> None:
    issued = authority.enrol()
    hand_over(issued, [authority.delivery], registry=authority.registry, now=NOW, pkcs12_passphrase=b"x")


def renew(authority: Authority) -> None:
    hand_over(authority.renew(), [authority.delivery], registry=authority.registry, now=NOW)


def revoke(authority: Authority) -> None:
    revoke_client("acme", registry=authority.registry, reason=RevocationReason.SUPERSEDED, actor="tester", now=NOW)


def publication(authority: Authority) -> None:
    publish(registry=authority.registry, truststore=authority.truststore, actor="tester", now=NOW)


def is_established(authority: Authority) -> bool:
    return len(authority.registry.issuers()) == 2 and authority.enrol("probe").key is not None


def has_a_working_pair(authority: Authority) -> bool:
    files = authority.delivery.collect("acme")
    certificate = x509.load_pem_x509_certificate(files["client.pem"])
    pair = open_sealed(files["client.key"]).public_key() == certificate.public_key()
    active = {c.fingerprint for c in authority.registry.certificates("acme") if c.status is CertificateStatus.ACTIVE}
    return pair and fingerprint(certificate) in active


def is_revoked(authority: Authority) -> bool:
    certificates = authority.registry.certificates("acme")
    return authority.registry.client("acme").status is ClientStatus.REVOKED and all(
        certificate.status is CertificateStatus.REVOKED for certificate in certificates
    )


def is_published(authority: Authority) -> bool:
    return authority.truststore.read() == trust_bundle(authority.registry)


@dataclass(frozen=True)
class Command:
    """What runs before, what is killed, what then holds, and what the second run says if the first was done."""

    before: tuple[Callable[[Authority], None], ...]
    run: Callable[[Authority], None]
    holds: Callable[[Authority], bool]
    done_already: tuple[type[Exception], ...] = ()


COMMANDS = {
    "init": Command((), init, is_established, (AlreadyEstablished,)),
    "init by import": Command((), init_by_import, is_established, (AlreadyEstablished,)),
    "client add": Command((init,), add, has_a_working_pair, (AlreadyRegistered,)),
    "client renew": Command((init, add), renew, has_a_working_pair),
    "client revoke": Command((init, add, renew), revoke, is_revoked),
    "truststore publish": Command((init,), publication, is_published),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_killed_at_any_write_can_be_run_again(command: Command, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    prepared.mkdir(mode=0o700)
    with_authority(prepared, *command.before)
    kills = 0
    for number in range(1, 500):
        state = tmp_path / str(number)
        shutil.copytree(prepared, state, symlinks=True)
        state.chmod(0o700)
        if not killed_at(number, lambda state=state: with_authority(state, command.run)):  # type: ignore[misc]
            break
        kills += 1
        check(state)
        with_authority(state, lambda authority: run_again(command, authority))
        check(state)
    else:
        pytest.fail("the command never came to its end")
    assert kills > 5


def with_authority(state: Path, *steps: Callable[[Authority], None]) -> None:
    authority = on_disk(state)
    for step in steps:
        step(authority)
    authority.registry.close()


def run_again(command: Command, authority: Authority) -> None:
    with suppress(*command.done_already):
        command.run(authority)
    assert command.holds(authority)


def check(state: Path) -> None:
    """What holds at any moment, whoever was killed."""
    authority = on_disk(state)
    known = {issuer.fingerprint for issuer in authority.registry.issuers()}
    known |= {standing.certificate.fingerprint for standing in authority.registry.standings()}
    assert broken_at(authority.registry.audit()) is None
    if authority.truststore.read() is not None:
        assert "truststore.publish" in authority.actions(), "published, but not recorded"
    for path in state.rglob("*"):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} is open to others: {mode:o}"
        if path.suffix == ".key":
            open_sealed(path.read_bytes(), PASSPHRASE)
        if path.suffix == ".pem":
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
            assert {fingerprint(each) for each in certificates} <= known, f"{path} holds what the registry doesn't know"
    authority.registry.close()
