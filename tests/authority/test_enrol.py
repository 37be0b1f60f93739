"""Enrol and renew: who gets a certificate, what stands in it, and what is refused."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from handclasp.authority.enrol import Issued
from handclasp.authority.handover import credential, hand_over
from handclasp.authority.practice import Practice
from handclasp.authority.revoke import revoke_certificate, revoke_client, suspend_client
from handclasp.authority.server_certificate import general_name, issue_server_certificate
from handclasp.errors import AlreadyRegistered, InvalidInput, NotRegistered, RequestRejected, TransitionRefused
from handclasp.pki.keys import KeyAlgorithm, describe
from handclasp.pki.path import SERVER_AUTH, verify_path
from handclasp.pki.profile import CLIENT
from handclasp.registry.records import CertificateStatus, RevocationReason
from tests import making
from tests.authority.conftest import Authority, der, request
from tests.making import NOW


def deliver(authority: Authority, issued: Issued) -> list[str]:
    return hand_over(issued, [authority.delivery], registry=authority.registry, now=NOW)


def test_an_enrolled_client_has_a_registered_certificate_that_validates(authority: Authority) -> None:
    issued = authority.enrol(owner="Team A", contact="a@example.org")
    assert authority.registry.client("acme") == issued.client
    assert authority.registry.certificates("acme") == [issued.certificate]
    assert der(issued.certificate.der) == issued.path[0]
    assert verify_path(issued.path[0], issued.path[1:-1], issued.path[-1:], now=NOW).certificates == issued.path
    assert issued.key is not None
    assert issued.key.public_key() == issued.path[0].public_key()
    assert authority.actions()[-1] == "client.enrol"


def test_the_certificate_names_the_client_as_the_design_says(authority: Authority) -> None:
    authority.practice = Practice("example.org", organization="Acme, Inc.")
    made = authority.enrol("acme", environment="prod", application="nextJs").path[0]
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://example.org/prod/acme")]
    assert [each.value for each in made.subject] == ["Acme, Inc.", "Prod-NextJs-Client"]


def test_the_enrolment_may_choose_common_name_key_and_days_and_the_practice_the_rest(authority: Authority) -> None:
    authority.practice = Practice("example.org", key_algorithm=KeyAlgorithm.P384, client=CLIENT.configured(days=30))
    plain, chosen = authority.enrol("a"), authority.enrol("b", common_name="b, Inc.", key_algorithm="rsa2048", days=7)
    for issued, kind, days in ((plain, "P-384", 30), (chosen, "RSA-2048", 7)):
        made = issued.path[0]
        assert describe(made.public_key()) == kind
        life = made.not_valid_after_utc - made.not_valid_before_utc
        assert life == timedelta(days=days) - timedelta(seconds=1)
    assert chosen.path[0].subject.rfc4514_string() == r"CN=b\, Inc."


@pytest.mark.parametrize("days", [0, -1, 3651, 10**9])
def test_days_out_of_range_are_refused_and_nothing_is_registered(authority: Authority, days: int) -> None:
    with pytest.raises(InvalidInput, match=f"requested {days}"):
        authority.enrol(days=days)
    with pytest.raises(NotRegistered):
        authority.registry.client("acme")


def test_a_clients_own_key_is_certified_and_never_ours(authority: Authority) -> None:
    issued = authority.enrol(request=request(making.key()))
    assert issued.key is None
    assert issued.path[0].public_key() == making.key().public_key()
    files = credential(issued, pkcs12_passphrase=b"x").files()
    assert set(files) == {"client.pem", "fullchain.pem", "ca.pem"}


def test_what_is_handed_over_is_noted(authority: Authority) -> None:
    issued = authority.enrol()
    assert issued.certificate.delivered_at is None
    assert deliver(authority, issued) == ["memory:acme"]
    assert authority.registry.certificates("acme")[0].delivered_at == int(NOW.timestamp())
    files = authority.delivery.collect("acme")
    assert load_pem_private_key(files["client.key"], None).public_key() == issued.path[0].public_key()
    assert x509.load_pem_x509_certificates(files["fullchain.pem"]) == list(issued.path)
    assert x509.load_pem_x509_certificates(files["ca.pem"]) == [issued.path[-1]]


def test_a_pkcs12_file_is_made_for_our_keys_on_request(authority: Authority) -> None:
    files = credential(authority.enrol(), pkcs12_passphrase=b"x").files()
    assert set(files) == {"client.key", "client.pem", "fullchain.pem", "ca.pem", "client.p12"}


def test_an_issued_certificate_does_not_show_its_key(authority: Authority) -> None:
    assert "PrivateKey object" not in repr(authority.enrol())


def test_a_name_that_was_delivered_is_taken_in_any_case_of_letters(authority: Authority) -> None:
    deliver(authority, authority.enrol("Acme"))
    for name in ("Acme", "acme", "ACME"):
        with pytest.raises(AlreadyRegistered, match="client Acme is registered already") as refused:
            authority.enrol(name)
        assert refused.value.hint == "handclasp client renew Acme issues it another certificate"
    assert len(authority.registry.certificates("acme")) == 1


def test_a_killed_enrolment_is_taken_up_by_the_same_command(authority: Authority) -> None:
    """The first run was killed between its commit and its delivery: nobody has that certificate."""
    lost = authority.enrol(owner="First")
    again = authority.enrol(owner="Second")
    statuses = {c.serial_number: (c.status, c.revocation_reason) for c in authority.registry.certificates("acme")}
    assert statuses == {
        lost.certificate.serial_number: (CertificateStatus.REVOKED, RevocationReason.SUPERSEDED),
        again.certificate.serial_number: (CertificateStatus.ACTIVE, None),
    }
    assert authority.actions()[-2:] == ["certificate.revoke", "client.enrol"]
    assert again.client == authority.registry.client("acme") == lost.client
    third = authority.enrol()
    assert [
        c.serial_number for c in authority.registry.certificates("acme") if c.status is CertificateStatus.ACTIVE
    ] == [third.certificate.serial_number]


def test_of_two_that_enrol_at_once_the_one_whose_certificate_is_active_delivers(authority: Authority) -> None:
    slower, faster = authority.enrol(), authority.enrol()
    deliver(authority, faster)
    with pytest.raises(TransitionRefused, match="was revoked before it was delivered") as refused:
        deliver(authority, slower)
    assert refused.value.hint is not None
    delivered = x509.load_pem_x509_certificate(authority.delivery.collect("acme")["client.pem"])
    assert delivered == faster.path[0]


def test_a_killed_enrolment_with_a_csr_is_taken_up_with_the_same_csr(authority: Authority) -> None:
    authority.enrol(request=request(making.key()))
    assert authority.enrol(request=request(making.key())).path[0].public_key() == making.key().public_key()


@pytest.mark.parametrize(
    ("name", "more"),
    [("ACME", {}), ("acme", {"environment": "test"}), ("acme", {"application": "other"})],
)
def test_only_the_very_same_enrolment_is_taken_up(authority: Authority, name: str, more: dict[str, object]) -> None:
    authority.enrol("acme")
    with pytest.raises(AlreadyRegistered):
        authority.enrol(name, **more)


def test_a_suspended_client_is_not_taken_up(authority: Authority) -> None:
    authority.enrol()
    suspend_client("acme", registry=authority.registry, actor="tester", now=NOW)
    with pytest.raises(AlreadyRegistered, match="suspended"):
        authority.enrol()


def test_a_key_of_another_client_is_refused(authority: Authority) -> None:
    deliver(authority, authority.enrol("acme", request=request(making.key())))
    with pytest.raises(RequestRejected, match="already belongs to client acme") as refused:
        authority.enrol("beta", request=request(making.key()))
    assert refused.value.hint is not None
    with pytest.raises(NotRegistered):
        authority.registry.client("beta")


def test_a_key_of_a_server_is_refused(authority: Authority) -> None:
    issued = issue_server_certificate(
        ("localhost",),
        registry=authority.registry,
        custody=authority.custody,
        practice=authority.practice,
        actor="tester",
        now=NOW,
    )
    with pytest.raises(RequestRejected, match="already belongs to another certificate"):
        authority.enrol(request=request(issued.key))


def test_a_compromised_key_is_refused_even_to_its_own_client(authority: Authority) -> None:
    first = authority.enrol(request=request(making.key()))
    deliver(authority, first)
    authority.renew()
    revoke_certificate(
        "acme",
        first.certificate.serial_number,
        registry=authority.registry,
        reason=RevocationReason.KEY_COMPROMISE,
        actor="tester",
        now=NOW,
    )
    with pytest.raises(RequestRejected, match="revoked because the key was compromised"):
        authority.renew(request=request(making.key()))


def test_a_renewal_overlaps_and_may_keep_the_clients_own_key(authority: Authority) -> None:
    first = authority.enrol(request=request(making.key()))
    second = authority.renew("ACME", request=request(making.key()))
    assert authority.registry.certificates("acme") == [first.certificate, second.certificate]
    assert second.certificate.client_id == "acme"
    assert second.key is None
    assert authority.renew().key is not None
    assert authority.actions()[-2:] == ["client.renew", "client.renew"]


def test_who_is_not_registered_or_not_active_is_not_renewed(authority: Authority) -> None:
    with pytest.raises(NotRegistered):
        authority.renew("nobody")
    authority.enrol()
    suspend_client("acme", registry=authority.registry, actor="tester", now=NOW)
    with pytest.raises(TransitionRefused, match="acme is suspended"):
        authority.renew()
    revoke_client("acme", registry=authority.registry, reason=RevocationReason.SUPERSEDED, actor="tester", now=NOW)
    with pytest.raises(TransitionRefused, match="acme is revoked"):
        authority.renew()


def test_a_server_certificate_has_its_names_and_no_client(authority: Authority) -> None:
    issued = issue_server_certificate(
        ("localhost", "127.0.0.1", "::1", "*.example.org"),
        registry=authority.registry,
        custody=authority.custody,
        practice=authority.practice,
        actor="tester",
        now=NOW,
    )
    names = issued.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.example.org"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    anchors = [i for i in map(der, (i.der for i in authority.registry.issuers())) if i.issuer == i.subject]
    verify_path(issued.chain[0], issued.chain[1:], anchors, now=NOW, usage=SERVER_AUTH)
    assert issued.certificate.client_id is None
    assert list(authority.registry.standings()) == []
    assert authority.actions()[-1] == "server.issue"
    assert issued.key.public_key() == issued.chain[0].public_key()


@pytest.mark.parametrize(
    "name",
    ["", "a b", "-a.example", "a..b", "*", "a.*.b", "*.*.a", "exämple.org", "a\n", "x" * 64 + ".org", "a/b", "a.b."],
)
def test_a_server_name_that_is_neither_host_nor_address_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="neither a DNS name nor an IP address") as refused:
        general_name(name)
    assert str(refused.value).isascii()
