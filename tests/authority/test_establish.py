"""Establish the authority: a root under its passphrase, an intermediate that it signed, both or none."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handclasp.authority.establish import HierarchyPlan, IssuerMaterial, establish, make_intermediate, make_root
from handclasp.authority.issuers import issuer_path, signing_issuer
from handclasp.errors import AlreadyEstablished, KeyUnavailable, NotEstablished, PathInvalid, RegistryDamaged
from handclasp.pki.extensions import NO_URLS
from handclasp.pki.keys import KeyAlgorithm, describe
from handclasp.pki.path import verify_path
from handclasp.registry.records import IssuerKind, IssuerStatus
from tests import making
from tests.authority.conftest import PASSPHRASE, Authority, der
from tests.making import NOW, ca


def test_a_root_and_its_intermediate_are_registered_and_audited(empty: Authority) -> None:
    made = empty.establish()
    assert empty.registry.issuers() == [made.root, made.intermediate]
    assert (made.root.kind, made.root.parent_id) == (IssuerKind.ROOT, None)
    assert (made.intermediate.kind, made.intermediate.parent_id) == (IssuerKind.INTERMEDIATE, made.root.issuer_id)
    verify_path(der(made.intermediate.der), [], [der(made.root.der)], now=NOW, as_ca=True)
    assert empty.actions() == ["root.establish", "intermediate.establish"]


def test_the_roots_key_opens_with_its_passphrase_only_and_the_intermediates_without(empty: Authority) -> None:
    made = empty.establish()
    assert made.root.key_name is not None
    assert made.intermediate.key_name is not None
    with pytest.raises(KeyUnavailable):
        empty.custody.signer(made.root.key_name)
    assert empty.custody.signer(made.root.key_name, PASSPHRASE).public_key() == der(made.root.der).public_key()
    assert empty.custody.signer(made.intermediate.key_name).public_key() == der(made.intermediate.der).public_key()


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
def test_the_plan_decides_names_keys_and_lifetimes(empty: Authority, algorithm: KeyAlgorithm) -> None:
    plan = HierarchyPlan("Acme, Root", "Acme + Issuing", "Acme, Inc.", algorithm, algorithm, 1000, 500)
    made = empty.establish(plan)
    root, intermediate = der(made.root.der), der(made.intermediate.der)
    assert [each.value for each in root.subject] == ["Acme, Inc.", "Acme, Root"]
    assert [each.value for each in intermediate.subject] == ["Acme, Inc.", "Acme + Issuing"]
    assert describe(root.public_key()) == describe(making.key(algorithm).public_key())
    for certificate, days in ((root, 1000), (intermediate, 500)):
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert life == timedelta(days=days) - timedelta(seconds=1)


def test_an_authority_is_established_once(authority: Authority) -> None:
    before = authority.registry.issuers()
    with pytest.raises(AlreadyEstablished) as refused:
        authority.establish()
    assert refused.value.hint is not None
    assert authority.registry.issuers() == before


def test_of_two_that_establish_at_once_one_wins(empty: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one looked before the first had committed."""
    looked = empty.registry.issuers
    monkeypatch.setattr(empty.registry, "issuers", list)
    empty.establish()
    with pytest.raises(AlreadyEstablished):
        empty.establish()
    assert len(looked()) == 2


def test_an_intermediate_of_another_root_is_refused(empty: Authority) -> None:
    root, other = make_root(HierarchyPlan(), NOW), make_root(HierarchyPlan(), NOW)
    assert other.key is not None
    stray = make_intermediate(HierarchyPlan(), other.certificate, other.key, NOW)
    _refused(empty, root, stray, "signature")


def test_a_root_that_allows_no_intermediate_is_refused(empty: Authority) -> None:
    """Every certificate of it would be refused later: it is said now."""
    narrow = ca("Narrow", path_length=0)
    below = ca("Below", narrow)
    _refused(
        empty,
        IssuerMaterial(narrow.certificate, narrow.key),
        IssuerMaterial(below.certificate, below.key),
        "path_too_long",
    )


def _refused(empty: Authority, root: IssuerMaterial, intermediate: IssuerMaterial, fault: str) -> None:
    with pytest.raises(PathInvalid) as refused:
        establish(
            root,
            intermediate,
            registry=empty.registry,
            custody=empty.custody,
            passphrase=PASSPHRASE,
            actor="tester",
            now=NOW,
        )
    assert refused.value.fault == fault
    assert empty.registry.issuers() == []


def test_a_root_whose_key_stays_elsewhere_has_no_name_in_custody(empty: Authority) -> None:
    plan = HierarchyPlan()
    root = make_root(plan, NOW)
    assert root.key is not None
    intermediate = make_intermediate(plan, root.certificate, root.key, NOW)
    made = establish(
        IssuerMaterial(root.certificate, None),
        intermediate,
        registry=empty.registry,
        custody=empty.custody,
        passphrase=PASSPHRASE,
        actor="tester",
        now=NOW,
    )
    assert made.root.key_name is None
    assert empty.enrol().path[-1] == root.certificate


def test_an_intermediate_without_its_key_cannot_issue(empty: Authority) -> None:
    root = ca("Root")
    below = ca("Below", root)
    establish(
        IssuerMaterial(root.certificate, root.key),
        IssuerMaterial(below.certificate, None),
        registry=empty.registry,
        custody=empty.custody,
        passphrase=PASSPHRASE,
        actor="tester",
        now=NOW,
    )
    with pytest.raises(NotEstablished, match="no active intermediate with its key"):
        empty.enrol()


def test_without_an_authority_nothing_is_issued(empty: Authority) -> None:
    with pytest.raises(NotEstablished) as refused:
        empty.enrol()
    assert refused.value.hint == "run: handclasp init"


def test_the_newest_active_intermediate_signs(authority: Authority) -> None:
    first = signing_issuer(authority.registry, authority.custody, NO_URLS).record
    with authority.registry.change() as change:
        change.set_issuer_status(first.issuer_id, IssuerStatus.RETIRED)
    with pytest.raises(NotEstablished):
        signing_issuer(authority.registry, authority.custody, NO_URLS)


def test_a_registry_without_the_path_of_an_issuer_is_damaged(authority: Authority) -> None:
    intermediate = authority.registry.issuers()[1]
    with pytest.raises(RegistryDamaged, match="no path from issuer"):
        issuer_path([intermediate], intermediate.issuer_id)
    looped = replace(intermediate, parent_id=intermediate.issuer_id)
    with pytest.raises(RegistryDamaged, match="no path from issuer"):
        issuer_path([looped], intermediate.issuer_id)
