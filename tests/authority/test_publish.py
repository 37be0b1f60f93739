"""Publish the trust store: every active issuer, and nothing that breaks a rule."""

from datetime import timedelta

import pytest
from cryptography import x509

from handclasp.authority.publish import Publication, publish, trust_bundle
from handclasp.errors import NotEstablished, TruststoreRejected
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
    authority.now = NOW + timedelta(days=2000)  # the intermediate has expired
    before = authority.actions()
    with pytest.raises(TruststoreRejected, match="Issuing CA 1: expired on"):
        published(authority)
    assert authority.truststore.read() is None
    assert authority.actions() == before


def test_a_warning_is_told_and_does_not_stop(authority: Authority) -> None:
    authority.now = NOW + timedelta(days=1800)
    assert [f.severity for f in published(authority).findings] == ["warning"]
