"""What each kind of certificate says, field by field: the linters miss a lot, so it is pinned here."""

from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from pyasn1.codec.der.decoder import decode

from handclasp.errors import InvalidInput, RequestRejected
from handclasp.pki.extensions import NO_URLS, IssuerUrls, key_identifier
from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, spki
from handclasp.pki.profile import CLIENT, INTERMEDIATE, OCSP_RESPONDER, ROOT, SERVER, Profile, policy_oid
from handclasp.pki.request import for_key
from tests import making
from tests.making import CERT_SIGN, DIGITAL_SIGNATURE, NOW, Ca

PROFILES = {profile.name: profile for profile in (ROOT, INTERMEDIATE, CLIENT, SERVER, OCSP_RESPONDER)}
URI = x509.UniformResourceIdentifier("spiffe://handclasp.internal/prod/acme")
HOST = x509.DNSName("gateway.example.internal")
ADDRESS = x509.IPAddress(ip_address("127.0.0.1"))
URLS = IssuerUrls("http://pki.example.internal/issuing.cer", "http://pki.example.internal/issuing.crl")
ANY_POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)])
RSA_CLIENT_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)

Said = dict[x509.ObjectIdentifier, tuple[bool, x509.ExtensionType]]


def said(certificate: x509.Certificate) -> Said:
    return {each.oid: (each.critical, each.value) for each in certificate.extensions}


def expected(*extensions: tuple[bool, x509.ExtensionType]) -> Said:
    return {value.oid: (critical, value) for critical, value in extensions}


def ski(key: PrivateKey) -> tuple[bool, x509.ExtensionType]:
    return False, x509.SubjectKeyIdentifier(key_identifier(key.public_key()))


def aki(key: PrivateKey) -> tuple[bool, x509.ExtensionType]:
    return False, x509.AuthorityKeyIdentifier(key_identifier(key.public_key()), None, None)


def pointers() -> list[tuple[bool, x509.ExtensionType]]:
    access = x509.AccessDescription(
        x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(URLS.ca_issuers or "")
    )
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(URLS.crl or "")], None, None, None)
    return [
        (False, x509.AuthorityInformationAccess([access])),
        (False, x509.CRLDistributionPoints([point])),
    ]


def issued(
    profile: Profile,
    issuer: Ca,
    key: PrivateKey,
    *names: x509.GeneralName,
    name: x509.Name | None = None,
    urls: IssuerUrls = NO_URLS,
) -> x509.Certificate:
    authority = IssuingAuthority(issuer.certificate, issuer.key, urls)
    named = subject("Somebody") if name is None else name
    return issue(prepare(for_key(key), profile, authority, subject=named, now=NOW, names=names), authority)


def test_a_root_says_that_it_is_a_ca_and_names_itself() -> None:
    root = making.root()
    assert said(root.certificate) == expected(
        (True, x509.BasicConstraints(ca=True, path_length=None)), (True, CERT_SIGN), ski(root.key), aki(root.key)
    )
    assert root.certificate.subject == root.certificate.issuer


def test_an_intermediate_says_that_it_issues_end_entities_for_tls_only() -> None:
    made = making.intermediate()
    assert said(made.certificate) == expected(
        (True, x509.BasicConstraints(ca=True, path_length=0)),
        (True, CERT_SIGN),
        (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])),
        (False, ANY_POLICY),
        ski(made.key),
        aki(making.root().key),
    )


def test_a_client_says_clientauth_and_its_spiffe_id_and_no_more() -> None:
    made = issued(CLIENT, making.intermediate(), making.key(), URI)
    assert said(made) == expected(
        (True, DIGITAL_SIGNATURE),
        (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        (False, x509.SubjectAlternativeName([URI])),
        ski(making.key()),
        aki(making.intermediate().key),
    )


def test_a_server_says_serverauth_and_its_names_which_are_critical() -> None:
    made = issued(SERVER, making.intermediate(), making.key(), HOST, ADDRESS, name=x509.Name([]))
    assert said(made) == expected(
        (True, DIGITAL_SIGNATURE),
        (True, x509.SubjectAlternativeName([HOST, ADDRESS])),
        (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        ski(making.key()),
        aki(making.intermediate().key),
    )


def test_an_ocsp_responder_says_ocspsigning_and_that_nobody_need_ask_about_it() -> None:
    made = issued(OCSP_RESPONDER, making.intermediate(), making.key(), urls=URLS)
    assert said(made) == expected(
        (True, DIGITAL_SIGNATURE),
        (False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])),
        (False, x509.OCSPNoCheck()),
        ski(making.key()),
        aki(making.intermediate().key),
    )


@pytest.mark.parametrize(("profile", "issuer"), [(INTERMEDIATE, "root"), (CLIENT, "intermediate")])
def test_configured_urls_become_caissuers_and_a_crl_distribution_point(profile: Profile, issuer: str) -> None:
    by = making.root() if issuer == "root" else making.intermediate()
    without = said(issued(profile, by, making.key(), URI))
    assert said(issued(profile, by, making.key(), URI, urls=URLS)) == without | expected(*pointers())


@pytest.mark.parametrize("urls", [IssuerUrls(ca_issuers=URLS.ca_issuers), IssuerUrls(crl=URLS.crl)])
def test_each_url_stands_alone(urls: IssuerUrls) -> None:
    found = said(issued(CLIENT, making.intermediate(), making.key(), urls=urls))
    assert (ExtensionOID.AUTHORITY_INFORMATION_ACCESS in found) is bool(urls.ca_issuers)
    assert (ExtensionOID.CRL_DISTRIBUTION_POINTS in found) is bool(urls.crl)


@pytest.mark.parametrize("profile", [CLIENT, SERVER])
def test_only_rsa_keys_may_also_unwrap_a_tls12_key(profile: Profile) -> None:
    rsa = issued(profile, making.intermediate(), making.key(KeyAlgorithm.RSA2048), HOST)
    assert said(rsa)[ExtensionOID.KEY_USAGE] == (True, RSA_CLIENT_USAGE)


def test_an_rsa_ocsp_responder_only_signs() -> None:
    rsa = issued(OCSP_RESPONDER, making.intermediate(), making.key(KeyAlgorithm.RSA2048))
    assert said(rsa)[ExtensionOID.KEY_USAGE] == (True, DIGITAL_SIGNATURE)


def test_a_client_without_a_subject_has_a_critical_name() -> None:
    made = issued(CLIENT, making.intermediate(), making.key(), URI, name=x509.Name([]))
    assert said(made)[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] == (True, x509.SubjectAlternativeName([URI]))


def test_a_certificate_that_would_name_nobody_is_refused() -> None:
    with pytest.raises(RequestRejected, match="name nobody"):
        issued(CLIENT, making.intermediate(), making.key(), name=x509.Name([]))


def test_the_operators_policy_stands_in_client_certificates_without_qualifier() -> None:
    configured = CLIENT.configured(days=30, policy="1.3.6.1.4.1.55555.1.2")
    made = issued(configured, making.intermediate(), making.key(), URI)
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1.2"), None)
    assert said(made)[ExtensionOID.CERTIFICATE_POLICIES] == (False, x509.CertificatePolicies([policy]))
    assert configured.days == 30
    assert CLIENT.configured() is CLIENT


@pytest.mark.parametrize(
    "text", ["", "one", "1", "1.3.", "3.1.2", "1.2.4294967296", "2.25.329800735698586629295641978511506172918"]
)
def test_what_is_no_usable_object_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="object identifier"):
        policy_oid(text)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("days", [-1, 0, 10**12])
def test_a_lifetime_out_of_range_is_refused_with_the_range(profile: Profile, days: int) -> None:
    with pytest.raises(InvalidInput, match=rf"allows 1 to {profile.max_days} days, requested {days}") as refused:
        profile.lasting(days)
    assert refused.value.hint is not None


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_profile_lasts_its_own_days_unless_asked(profile: Profile) -> None:
    assert profile.lasting(None) == timedelta(days=profile.days)
    assert profile.lasting(1) == timedelta(days=1)
    assert profile.lasting(profile.max_days) == timedelta(days=profile.max_days)


def test_the_lifetimes_are_those_of_the_design() -> None:
    assert {p.name: p.days for p in PROFILES.values()} == {
        "root": 3650,
        "intermediate": 1825,
        "client": 90,
        "server": 90,
        "ocsp-responder": 7,
    }
    assert ROOT.max_days == 36_500


@pytest.mark.parametrize(
    "algorithm", [KeyAlgorithm.P256, KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519]
)
def test_the_key_identifier_is_method_1_of_rfc_7093(algorithm: KeyAlgorithm) -> None:
    """Recomputed from the certificate's bytes: SHA-256 of the subjectPublicKey's content, 160 bits of it."""
    key = making.key(algorithm).public_key()
    info, _ = decode(spki(key))
    assert key_identifier(key) == sha256(info[1].asOctets()).digest()[:20]


def test_texts_are_utf8strings_as_signed() -> None:
    made = issued(CLIENT, making.intermediate(), making.key(), name=subject("Prod-NextJs-Client", "Acme"))
    der = made.subject.public_bytes()
    assert b"\x0c\x12Prod-NextJs-Client" in der
    assert b"\x0c\x04Acme" in der
    assert [each.oid for each in made.subject] == [x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME]


def test_every_certificate_is_version_3() -> None:
    assert making.root().certificate.version is x509.Version.v3
    assert making.intermediate().certificate.version is x509.Version.v3
