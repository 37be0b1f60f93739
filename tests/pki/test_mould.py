"""A certificate cast in a mould is the one `prepare` and `issue` would have signed, octet by octet."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from handclasp.pki.der import content, element, parts, subject_and_key
from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, spki
from handclasp.pki.mould import Mould
from handclasp.pki.pem import certificate_pem, der_pem, first_der
from handclasp.pki.profile import CLIENT, SERVER, Profile
from handclasp.pki.request import for_key
from tests import making
from tests.making import NOW

URLS = IssuerUrls("http://pki.example.org/ca.cer", "http://pki.example.org/ca.crl")


def usual(
    key: PrivateKey, issuer: IssuingAuthority, name: x509.Name, uri: str, profile: Profile = CLIENT
) -> x509.Certificate:
    names = [x509.UniformResourceIdentifier(uri)]
    return issue(prepare(for_key(key), profile, issuer, subject=name, now=NOW, names=names), issuer)


def cast(model: x509.Certificate, issuer: IssuingAuthority, like: x509.Certificate, uri: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(
        Mould(model, issuer.key).cast(
            subject=like.subject.public_bytes(), spki=spki(like.public_key()), uri=uri, serial=like.serial_number
        )
    )


def authority(algorithm: KeyAlgorithm, urls: IssuerUrls = URLS) -> IssuingAuthority:
    made = making.intermediate(algorithm)
    return IssuingAuthority(made.certificate, made.key, urls)


@pytest.mark.parametrize("client", [KeyAlgorithm.P256, KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
@pytest.mark.parametrize("issuer", [KeyAlgorithm.P256, KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
def test_it_says_the_same_for_every_kind_of_key_and_its_signature_verifies(
    issuer: KeyAlgorithm, client: KeyAlgorithm
) -> None:
    signing = authority(issuer)
    wanted = usual(making.key(client, 7), signing, subject("Prod-Nextjs-Client", "Example"), "spiffe://x.org/prod/acme")
    model = usual(making.key(client, 8), signing, subject("model"), "spiffe://x.org/")
    made = cast(model, signing, wanted, "spiffe://x.org/prod/acme")
    assert made.tbs_certificate_bytes == wanted.tbs_certificate_bytes
    assert made.signature_algorithm_parameters is not None or issuer is KeyAlgorithm.ED25519
    made.verify_directly_issued_by(signing.certificate)


@pytest.mark.parametrize("profile", [CLIENT, CLIENT.configured(days=1), CLIENT.configured(policy="1.2.3.4.5")])
@pytest.mark.parametrize("urls", [URLS, IssuerUrls()])
def test_it_says_the_same_for_every_practice(profile: Profile, urls: IssuerUrls) -> None:
    signing = authority(KeyAlgorithm.P256, urls)
    wanted = usual(making.key(number=7), signing, subject("acme"), "spiffe://x.org/prod/acme", profile)
    model = usual(making.key(number=8), signing, subject("model"), "spiffe://x.org/", profile)
    assert cast(model, signing, wanted, "spiffe://x.org/prod/acme").tbs_certificate_bytes == (
        wanted.tbs_certificate_bytes
    )


text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=16)
ascii_text = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=160)


@given(name=text, organization=st.none() | text, path=ascii_text)
def test_it_says_the_same_for_every_name(name: str, organization: str | None, path: str) -> None:
    signing = authority(KeyAlgorithm.P256)
    uri = f"spiffe://x.org/prod/{path}"
    wanted = usual(making.key(number=7), signing, subject(name, organization), uri)
    model = usual(making.key(number=8), signing, subject("model"), "spiffe://x.org/")
    made = cast(model, signing, wanted, uri)
    assert made.tbs_certificate_bytes == wanted.tbs_certificate_bytes


def test_a_certificate_of_another_shape_is_no_model() -> None:
    signing = authority(KeyAlgorithm.P256)
    server = usual(making.key(), signing, subject("x"), "spiffe://x.org/", SERVER)
    with pytest.raises(ValueError, match="no model for others"):
        Mould(server, signing.key)
    with pytest.raises(ValueError, match="no model for others"):
        Mould(making.root().certificate, signing.key)


@given(st.binary(max_size=70_000), st.integers(0, 255))
def test_an_element_is_read_back(value: bytes, tag: int) -> None:
    whole = element(tag, value)
    start, end = content(whole)
    assert (whole[start:end], end) == (value, len(whole))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_parts_are_the_elements_inside(values: list[bytes]) -> None:
    found = [element(4, value) for value in values]
    assert parts(element(0x30, b"".join(found))) == found


@pytest.mark.parametrize("damage", [lambda der: der[:-1], lambda der: der + b"\0"])
def test_parts_that_do_not_fill_the_whole_are_damage(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="damaged"):
        parts(damage(element(0x30, element(4, b"x"))))


def test_subject_and_key_are_found_in_any_certificate() -> None:
    for certificate in (
        making.root().certificate,
        making.certificate("", making.intermediate(), not_after=NOW + timedelta(days=40_000)),
        making.certificate("x", making.intermediate(KeyAlgorithm.RSA2048), of=making.key(KeyAlgorithm.RSA2048)),
    ):
        der = certificate.public_bytes(Encoding.DER)
        assert subject_and_key(der) == (certificate.subject.public_bytes(), spki(certificate.public_key()))


@given(st.binary(max_size=400))
def test_what_is_no_certificate_is_said_or_read_within_its_bounds(garbage: bytes) -> None:
    try:
        subject, key = subject_and_key(garbage)
    except ValueError as error:
        assert "damaged" in str(error)  # noqa: PT017 - either is right
    else:
        assert subject + key in garbage


def test_pem_is_the_same_as_the_parsers() -> None:
    for certificate in (making.root().certificate, making.intermediate(KeyAlgorithm.RSA2048).certificate):
        der = certificate.public_bytes(Encoding.DER)
        assert der_pem(der) == certificate_pem(certificate)
        assert first_der(certificate_pem(certificate, making.root().certificate)) == der
    for length in (47, 48, 49):
        assert first_der(der_pem(bytes(length))) == bytes(length)
    with pytest.raises(ValueError, match="not PEM"):
        first_der(b"no PEM at all")
