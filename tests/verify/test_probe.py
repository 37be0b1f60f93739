"""Probes are issued like everything else: registered first, and nobody's."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.authority.enrol import Enrolment, enrol
from handclasp.authority.issuers import signing_issuer
from handclasp.authority.probe import (
    VERIFY_CLIENT,
    VERIFY_ENVIRONMENT,
    Probe,
    ProbeKind,
    issue_probe,
    issue_revocable,
    revoke_probe,
)
from handclasp.authority.revoke import suspend_client
from handclasp.errors import AlreadyRegistered, RequestRejected, TransitionRefused
from handclasp.pki.identity import client_id, subject
from handclasp.pki.issuance import prepare
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.pki.path import CLIENT_AUTH, verify_path
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import for_key
from handclasp.registry.records import CertificateStatus, RevocationReason
from handclasp.verify.own_authority import environment, registered
from handclasp.verify.rogue import impostor
from tests.verify.conftest import PRACTICE, Deployment, deploy, now


def _probe(deployment: Deployment, kind: ProbeKind, later: timedelta = timedelta(0)) -> Probe:
    return issue_probe(
        kind,
        registry=deployment.registry,
        custody=deployment.custody,
        practice=PRACTICE,
        actor="tester",
        now=now() + later,
    )


def _revocable(deployment: Deployment, environment: str = "prod") -> Probe:
    return issue_revocable(
        environment,
        registry=deployment.registry,
        custody=deployment.custody,
        practice=PRACTICE,
        actor="tester",
        now=now(),
    )


@pytest.mark.parametrize("kind", ProbeKind)
def test_a_probe_is_registered_audited_and_in_no_gateways_table(deployment: Deployment, kind: ProbeKind) -> None:
    known = len(list(deployment.registry.standings()))
    probe = _probe(deployment, kind)
    record = deployment.registry.certificate(probe.certificate.issuer_id, probe.certificate.serial_number)
    assert (record.profile, record.client_id) == ("probe", None)
    assert len(list(deployment.registry.standings())) == known
    assert [(e.action, e.subject) for e in deployment.registry.audit()][-1] == ("probe.issue", kind.value)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=3), timedelta(days=400)])
@pytest.mark.parametrize("kind", ProbeKind)
def test_each_probe_has_the_one_fault_it_is_named_after(
    deployment: Deployment, kind: ProbeKind, age: timedelta
) -> None:
    at = now() + age
    probe = _probe(deployment, kind, age)
    made, issuer = probe.path[0], probe.path[1]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {
        "expired": made.not_valid_after_utc < at,
        "not_yet_valid": made.not_valid_before_utc > at,
        "server_auth_only": ExtendedKeyUsageOID.CLIENT_AUTH not in usage,
    } == {fault: fault == kind.value for fault in ("expired", "not_yet_valid", "server_auth_only")}
    assert issuer.not_valid_before_utc <= made.not_valid_before_utc <= made.not_valid_after_utc
    assert made.not_valid_after_utc <= min(issuer.not_valid_after_utc, at + timedelta(hours=2))


def test_the_unregistered_probe_has_a_valid_path(deployment: Deployment) -> None:
    path = _probe(deployment, ProbeKind.UNREGISTERED).path
    verify_path(path[0], path[1:], [deployment.root], now=now(), usage=CLIENT_AUTH)


@pytest.mark.parametrize("kind", [ProbeKind.EXPIRED, ProbeKind.NOT_YET_VALID])
def test_a_validity_its_issuer_does_not_cover_is_refused_before_signing(
    deployment: Deployment, kind: ProbeKind
) -> None:
    """The expired probe from a CA that has just begun; the other from one that is about to end."""
    issuer = deployment.intermediate
    at = {
        ProbeKind.EXPIRED: issuer.not_valid_before_utc,
        ProbeKind.NOT_YET_VALID: issuer.not_valid_after_utc - timedelta(minutes=5),
    }[kind]
    with pytest.raises(RequestRejected, match="does not lie within its issuer's"):
        _probe(deployment, kind, at - now() + timedelta(milliseconds=200))


def test_an_explicit_validity_is_taken_in_whole_seconds(deployment: Deployment) -> None:
    authority = signing_issuer(deployment.registry, deployment.custody, PRACTICE.urls).authority
    at = now().replace(microsecond=123_456)
    request = for_key(generate(KeyAlgorithm.P256))
    prepared = prepare(
        request, CLIENT, authority, subject=subject("x"), now=at, validity=(at, at + timedelta(minutes=1))
    )
    assert prepared.not_before == at.replace(microsecond=0)
    assert prepared.not_after == prepared.not_before + timedelta(minutes=1)


def test_the_certificate_to_revoke_belongs_to_a_reserved_client_in_the_callers_environment(
    deployment: Deployment,
) -> None:
    first, second = _revocable(deployment), _revocable(deployment)
    client = deployment.registry.client(VERIFY_CLIENT)
    assert (client.environment, client.application) == ("prod", "verify")
    assert [c.serial_number for c in deployment.registry.certificates(VERIFY_CLIENT)] == [
        first.certificate.serial_number,
        second.certificate.serial_number,
    ]


def test_each_environment_has_a_reserved_client_of_its_own(deployment: Deployment) -> None:
    names = [_revocable(deployment, each).certificate.client_id for each in ("prod", "test", "test", "prod")]
    assert names == [VERIFY_CLIENT, f"{VERIFY_CLIENT}-test", f"{VERIFY_CLIENT}-test", VERIFY_CLIENT]


def test_exactly_that_certificate_is_revoked_and_no_other(deployment: Deployment) -> None:
    first, second = _revocable(deployment), _revocable(deployment)
    revoke_probe(first, registry=deployment.registry, actor="tester", now=now())
    revoke_probe(first, registry=deployment.registry, actor="tester", now=now())
    known = {c.serial_number: c for c in deployment.registry.certificates(VERIFY_CLIENT)}
    assert known[first.certificate.serial_number].status is CertificateStatus.REVOKED
    assert known[first.certificate.serial_number].revocation_reason is RevocationReason.CESSATION_OF_OPERATION
    assert known[second.certificate.serial_number].status is CertificateStatus.ACTIVE


def test_a_reserved_client_that_somebody_suspended_stays_so(deployment: Deployment) -> None:
    _revocable(deployment)
    suspend_client(VERIFY_CLIENT, registry=deployment.registry, actor="tester", now=now())
    with pytest.raises(TransitionRefused):
        _revocable(deployment)


def test_a_reserved_name_that_somebody_else_has_is_said(deployment: Deployment) -> None:
    _revocable(deployment, "prod")
    enrol(
        Enrolment(client_id(f"{VERIFY_CLIENT}-test"), "staging", "other"),
        registry=deployment.registry,
        custody=deployment.custody,
        practice=PRACTICE,
        actor="tester",
        now=now(),
    )
    with pytest.raises(AlreadyRegistered, match="another environment, staging"):
        _revocable(deployment, "test")


def test_the_reserved_client_joins_the_callers_environment_if_the_caller_is_known(deployment: Deployment) -> None:
    assert environment(deployment.own, deployment.client) == "prod"
    assert environment(deployment.own, deploy().client) == VERIFY_ENVIRONMENT
    assert environment(deployment.own, deployment.server) == VERIFY_ENVIRONMENT


def test_a_copy_of_a_registered_certificate_is_not_the_registered_one(deployment: Deployment) -> None:
    forged = impostor(deployment.client, now())
    assert registered(deployment.own, deployment.client) is not None
    assert registered(deployment.own, forged) is None
