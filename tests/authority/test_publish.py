"""Publish the trust store: every active issuer, and nothing that breaks a rule."""

from datetime import timedelta

import pytest
from cryptography import x509

from handclasp.authority.issuers import certificate_of
from handclasp.authority.publish import Publication, publish, trust_bundle
from handclasp.errors import NotEstablished, TruststoreRejected
from handclasp.pki.pem import load_certificates
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.records import IssuerStatus
from tests.authority.conftest import Authority
from tests.making import NOW


def published(authority: Authority) -> Publication:
    return publish(registry=authority.registry, truststore=authority.truststore, actor="tester", now=authority.now)


def test_root_then_intermediate_are_published_and_recorded(authority: Authority) -> None:
    done = published(authority)
    assert done == Publication("memory", 2, changed=True, findings=())
    bundle = authority.truststore.read()
    assert bundle is not None
    members = x509.load_pem_x509_certificates(bundle)
    assert [m.subject.rfc4514_string() for m in members] == ["CN=Handclasp Root CA", "CN=Handclasp Issuing CA 1"]
    assert authority.actions()[-1] == "truststore.publish"


def test_publishing_again_changes_and_records_nothing(authority: Authority) -> None:
    published(authority)
    before = authority.actions()
    assert not published(authority).changed
    assert authority.actions() == before


def test_a_retired_issuer_is_left_out(authority: Authority) -> None:
    published(authority)
    with authority.registry.change() as change:
        change.set_issuer_status(authority.registry.issuers()[1].issuer_id, IssuerStatus.RETIRED)
    assert published(authority).certificates == 1


def test_without_an_authority_there_is_nothing_to_publish(empty: Authority) -> None:
    with pytest.raises(NotEstablished):
        trust_bundle(empty.registry)


def test_a_bundle_that_breaks_a_rule_is_not_published(authority: Authority) -> None:
    authority.now = NOW - timedelta(days=1)
    before = authority.actions()
    with pytest.raises(TruststoreRejected, match="Issuing CA 1: not valid before"):
        published(authority)
    assert authority.truststore.read() is None
    assert authority.actions() == before


def test_an_issuer_that_has_expired_is_left_out_and_stands_in_nobodys_way(empty: Authority) -> None:
    later = NOW + timedelta(days=2000)
    empty.registry = MemoryRegistry(later.timestamp)
    empty.establish()
    empty.now = later
    assert published(empty).certificates == 1
    (trusted,) = load_certificates(empty.truststore.read() or b"")
    assert trusted == certificate_of(empty.registry.issuers()[0])


def test_by_a_clock_that_is_ahead_of_the_registrys_nobody_is_left_out(empty: Authority) -> None:
    empty.registry = MemoryRegistry(NOW.timestamp)
    empty.establish()
    empty.now = NOW + timedelta(days=2000)
    with pytest.raises(TruststoreRejected, match="Issuing CA 1: expired on"):
        published(empty)


def test_a_hierarchy_that_is_over_is_not_published(authority: Authority) -> None:
    authority.now = NOW + timedelta(days=4000)
    with pytest.raises(TruststoreRejected, match="Root CA: expired on"):
        published(authority)


def test_a_warning_is_told_and_does_not_stop(authority: Authority) -> None:
    authority.now = NOW + timedelta(days=1800)
    assert [f.severity for f in published(authority).findings] == ["warning"]
