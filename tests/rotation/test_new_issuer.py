"""A new issuer stands beside the old: pending, of the same kind, and with a path for whoever pins the old root."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.authority.establish import HierarchyPlan
from handclasp.authority.handover import credential
from handclasp.authority.issuers import certificate_of, signing_issuer
from handclasp.authority.publish import trust_bundle
from handclasp.authority.rotation.new_issuer import NewIssuers, new_hierarchy, new_intermediate
from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import KeyAlgorithm, algorithm_of
from handclasp.pki.path import CLIENT_AUTH, verify_path
from handclasp.pki.pem import certificate_pem, load_certificates
from handclasp.registry.records import Issuer, IssuerKind, IssuerStatus
from tests.authority.conftest import PASSPHRASE, Authority, on_disk
from tests.making import NOW

LATER = NOW + timedelta(days=200)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    (tmp_path / "state").mkdir(mode=0o700)
    made = on_disk(tmp_path / "state")
    made.establish()
    yield made
    made.registry.close()


def made(
    authority: Authority, make: Callable[..., NewIssuers] = new_intermediate, passphrase: bytes = PASSPHRASE
) -> NewIssuers:

    done: NewIssuers = make(
        authority.registry, authority.custody, lambda: passphrase, authority.practice.urls, days=None, now=LATER
    )
    return done


def register(authority: Authority, issuers: tuple[Issuer, ...], status: IssuerStatus) -> None:
    with authority.registry.change() as change:
        for issuer in issuers:
            change.add_issuer(replace(issuer, status=status))


def openssl_accepts(folder: Path, chain: list[x509.Certificate], anchors: list[x509.Certificate]) -> bool:
    """OpenSSL's opinion of a client that sends `chain` to a gateway that trusts `anchors`."""
    for name, certificates in (("leaf", chain[:1]), ("rest", chain[1:]), ("anchors", anchors)):
        (folder / f"{name}.pem").write_bytes(certificate_pem(*certificates))
    moment = str(int((LATER + timedelta(days=1)).timestamp()))
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-attime", moment]
    files = ["-CAfile", "anchors.pem", "-untrusted", "rest.pem", "leaf.pem"]
    return subprocess.run([*command, *files], cwd=folder, capture_output=True, check=False).returncode == 0


def test_an_intermediate_gets_the_next_number_a_new_key_and_the_same_root(authority: Authority) -> None:
    root, old = authority.registry.issuers()
    new = made(authority)
    (issuer,) = new.made
    assert new.replaced == (old,)
    assert (issuer.subject, issuer.status) == ("CN=Handclasp Issuing CA 2", IssuerStatus.PENDING)
    assert (issuer.kind, issuer.parent_id) == (IssuerKind.INTERMEDIATE, root.issuer_id)
    certificate = certificate_of(issuer)
    verify_path(certificate, [], [certificate_of(root)], now=LATER, as_ca=True)
    assert certificate.public_key() != certificate_of(old).public_key()
    assert issuer.key_name is not None
    assert authority.custody.signer(issuer.key_name).public_key() == certificate.public_key()
    register(authority, new.made, IssuerStatus.ACTIVE)
    assert made(authority).made[0].subject == "CN=Handclasp Issuing CA 3"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Acme Issuing CA", "Acme Issuing CA 2"),
        ("Issuing CA G7", "Issuing CA G8"),
        ("CA 9", "CA 10"),
        ("x" * 64, "x" * 62 + " 2"),
    ],
)
def test_the_name_is_counted_on(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    authority = on_disk(tmp_path / "state")
    authority.establish(HierarchyPlan(intermediate_name=before, organization="Acme"))
    assert sorted(made(authority).made[0].subject.split(",")) == sorted([f"CN={after}", "O=Acme"])
    authority.registry.close()


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
def test_the_key_is_of_the_same_kind(tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    authority = on_disk(tmp_path / "state")
    authority.establish(HierarchyPlan(root_algorithm=algorithm, intermediate_algorithm=algorithm))
    for make in (new_intermediate, new_hierarchy):
        for issuer in made(authority, make).made:
            assert algorithm_of(certificate_of(issuer).public_key()) is algorithm
    authority.registry.close()


def test_a_wrong_passphrase_makes_nothing(authority: Authority) -> None:
    for make in (new_intermediate, new_hierarchy):
        with pytest.raises(KeyUnavailable, match="does not open"):
            made(authority, make, passphrase=b"wrong")
    assert len(authority.registry.issuers()) == 2


def test_a_pending_issuer_is_published_and_does_not_issue(authority: Authority) -> None:
    authority.now = LATER
    new = made(authority).made
    register(authority, new, IssuerStatus.PENDING)
    assert certificate_of(new[0]) in load_certificates(trust_bundle(authority.registry))
    signing = signing_issuer(authority.registry, authority.custody, authority.practice.urls)
    assert signing.record.subject == "CN=Handclasp Issuing CA 1"
    with authority.registry.change() as change:
        change.set_issuer_status(new[0].issuer_id, IssuerStatus.ACTIVE)
    assert authority.enrol().certificate.issuer_id == new[0].issuer_id


def test_a_new_root_is_cross_signed_so_that_who_pins_the_old_one_accepts_its_clients(
    authority: Authority, tmp_path: Path
) -> None:
    authority.now = LATER
    old_root, old_intermediate = authority.registry.issuers()
    before = authority.enrol("before")
    new = made(authority, new_hierarchy)
    root, intermediate = new.made
    assert new.replaced == (old_root, old_intermediate)
    assert intermediate.parent_id == root.issuer_id
    assert root.key_name is not None
    assert authority.custody.signer(root.key_name, PASSPHRASE).public_key() == certificate_of(root).public_key()
    register(authority, new.made, IssuerStatus.ACTIVE)
    issued = authority.enrol("acme")
    sent = list(issued.path)
    assert [c.subject for c in sent[1:]] == [certificate_of(intermediate).subject, certificate_of(root).subject]
    assert sent[-1].issuer == certificate_of(old_root).subject
    for anchor in (old_root, root):
        verify_path(sent[0], sent[1:], [certificate_of(anchor)], now=LATER, usage=CLIENT_AUTH)
        assert openssl_accepts(tmp_path, sent, [certificate_of(anchor)])
    assert openssl_accepts(tmp_path, list(before.path), [certificate_of(old_root)])
    assert not openssl_accepts(tmp_path, list(before.path), [certificate_of(root)])


def test_while_both_roots_are_trusted_clients_are_given_both(authority: Authority) -> None:
    authority.now = LATER
    old_root = authority.registry.issuers()[0]
    root, intermediate = made(authority, new_hierarchy).made
    register(authority, (root, intermediate), IssuerStatus.ACTIVE)
    anchors = load_certificates(credential(authority.enrol("acme")).trust_anchor)
    assert anchors == [certificate_of(root), certificate_of(old_root)]
    with authority.registry.change() as change:
        change.set_issuer_status(old_root.issuer_id, IssuerStatus.RETIRED)
    issued = authority.enrol("later")
    assert load_certificates(credential(issued).trust_anchor) == [certificate_of(root)]
    assert issued.path[-1] == certificate_of(root)
