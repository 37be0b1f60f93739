"""Two steps, prepare and issue: what is decided before anything is signed, and that signing adds nothing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from handclasp.errors import PathInvalid, RequestRejected
from handclasp.pki.extensions import key_identifier
from handclasp.pki.identity import subject
from handclasp.pki.issuance import BACKDATE, IssuingAuthority, issue, prepare, self_signed, serial_number
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.profile import CLIENT, INTERMEDIATE
from handclasp.pki.request import for_key
from tests import making
from tests.making import NOW

SECOND = timedelta(seconds=1)


def client(authority: IssuingAuthority, now: datetime, lifetime: timedelta | None = None) -> x509.Certificate:
    request = for_key(making.key())
    return issue(prepare(request, CLIENT, authority, subject=subject("x"), now=now, lifetime=lifetime), authority)


def test_a_lifetime_of_n_days_ends_one_second_before_n_days_are_over() -> None:
    made = client(making.intermediate().authority, NOW + timedelta(days=1))
    assert made.not_valid_before_utc == NOW + timedelta(days=1) - BACKDATE
    assert made.not_valid_after_utc == made.not_valid_before_utc + timedelta(days=90) - SECOND


def test_a_root_and_an_intermediate_last_as_long_as_their_profiles_say() -> None:
    root, intermediate = making.root().certificate, making.intermediate().certificate
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=3650) - SECOND
    assert intermediate.not_valid_after_utc - intermediate.not_valid_before_utc == timedelta(days=1825) - SECOND


@given(
    life=st.integers(min_value=700, max_value=10_000_000),
    age=st.integers(min_value=0, max_value=10_000_000),
    days=st.integers(min_value=1, max_value=3650),
    offset=st.integers(min_value=-14, max_value=14),
)
def test_an_end_entity_is_never_valid_when_its_issuer_is_not(life: int, age: int, days: int, offset: int) -> None:
    issuer = making.ca("Short", of=making.key(number=3), not_before=NOW, not_after=NOW + timedelta(seconds=life))
    now = (NOW + timedelta(seconds=age, microseconds=5)).astimezone(timezone(timedelta(hours=offset)))
    if age >= life:
        with pytest.raises(PathInvalid, match="has expired"):
            client(issuer.authority, now, timedelta(days=days))
    else:
        made = client(issuer.authority, now, timedelta(days=days))
        assert made.not_valid_before_utc >= issuer.certificate.not_valid_before_utc
        assert made.not_valid_after_utc <= issuer.certificate.not_valid_after_utc
        assert made.not_valid_before_utc <= now <= made.not_valid_after_utc
        assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=days) - SECOND


def test_an_issuer_that_has_expired_or_is_not_valid_yet_issues_nothing() -> None:
    authority = making.intermediate().authority
    with pytest.raises(PathInvalid, match="has expired") as expired:
        client(authority, authority.not_after)
    assert expired.value.hint is not None
    with pytest.raises(PathInvalid, match="not valid yet"):
        client(authority, authority.not_before - SECOND)


def test_an_explicit_validity_stands_as_it_is() -> None:
    """For the probes of `verify`: certificates that are expired, or not valid yet, on purpose."""
    begin, end = timedelta(hours=-2), timedelta(hours=-1)
    authority = making.ca("Issuer").authority
    validity = (NOW + begin + timedelta(microseconds=7), NOW + end)
    made = issue(
        prepare(for_key(making.key()), CLIENT, authority, subject=subject("x"), now=NOW, validity=validity), authority
    )
    assert (made.not_valid_before_utc, made.not_valid_after_utc) == (NOW + begin, NOW + end)


@pytest.mark.parametrize(("begin", "end"), [(-2, 1), (0, 61), (1, 0)])
def test_an_explicit_validity_lies_within_its_issuers(begin: int, end: int) -> None:
    authority = making.ca("Issuer").authority  # from a day ago, for sixty days
    validity = (NOW + timedelta(days=begin), NOW + timedelta(days=end))
    with pytest.raises(RequestRejected, match="does not lie within its issuer's"):
        prepare(for_key(making.key()), CLIENT, authority, subject=subject("x"), now=NOW, validity=validity)


def test_validity_after_2049_is_written_so_that_openssl_reads_it() -> None:
    root = self_signed(
        making.key(), subject=subject("Old"), now=datetime(2049, 12, 31, tzinfo=UTC), lifetime=timedelta(days=36_500)
    )
    shown = making.openssl("x509", "-noout", "-dates", stdin=root.public_bytes(Encoding.PEM)).stdout
    assert shown.splitlines()[0] == b"notBefore=Dec 30 23:50:00 2049 GMT"
    assert b"2149 GMT" in shown.splitlines()[1]


def test_serial_numbers_have_20_octets_are_positive_and_never_repeat() -> None:
    numbers = [serial_number() for _ in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(number > 0 and len(number.to_bytes(21, "big", signed=True).lstrip(b"\0")) == 20 for number in numbers)
    # each of the 158 random bits is seen both set and unset
    assert all(0 < sum(number >> bit & 1 for number in numbers) < 1000 for bit in range(158))
    made = client(making.intermediate().authority, NOW)
    assert len(f"{made.serial_number:x}") == 40


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.ED25519, KeyAlgorithm.RSA2048])
def test_the_builders_constructor_form_says_the_same_as_its_documented_methods(algorithm: KeyAlgorithm) -> None:
    """`issue` relies on the positional constructor, which is not documented: with deterministic signatures any
    change of its meaning shows as another byte here."""
    issuer = making.root(algorithm)
    prepared = prepare(
        for_key(making.key(algorithm)), CLIENT, issuer.authority, subject=subject("x", "O"), now=NOW,
        names=[x509.UniformResourceIdentifier("spiffe://d/e/c")],
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer.certificate.subject)
        .subject_name(prepared.subject)
        .public_key(prepared.request.public_key)
        .serial_number(prepared.serial_number)
        .not_valid_before(prepared.not_before)
        .not_valid_after(prepared.not_after)
    )
    for extension in prepared.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    assert issue(prepared, issuer.authority) == builder.sign(issuer.key, issuer.authority.signature_hash)


def test_the_hash_of_a_signature_is_as_strong_as_the_key() -> None:
    assert isinstance(making.root().certificate.signature_hash_algorithm, hashes.SHA256)
    assert isinstance(making.root(KeyAlgorithm.P384).certificate.signature_hash_algorithm, hashes.SHA384)
    assert isinstance(making.root(KeyAlgorithm.RSA2048).certificate.signature_hash_algorithm, hashes.SHA256)
    assert making.root(KeyAlgorithm.ED25519).certificate.signature_hash_algorithm is None


def test_the_issuers_own_key_identifier_is_repeated_whatever_method_made_it() -> None:
    odd = x509.SubjectKeyIdentifier(b"operators own id")
    issuer = making.ca("Adopted", also=[(odd, False)])
    made = client(issuer.authority, NOW)
    named = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named == x509.AuthorityKeyIdentifier(b"operators own id", None, None)


def test_an_issuer_without_key_identifier_is_named_by_the_one_it_would_have() -> None:
    issuer = making.ca("Plain")
    named = client(issuer.authority, NOW).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == key_identifier(issuer.key.public_key())


def test_the_key_of_an_issuing_authority_does_not_show_in_its_repr() -> None:
    assert "key" not in repr(making.root().authority).replace("key_identifier", "")


def test_an_intermediate_issues_with_the_extensions_of_each_profile_apart() -> None:
    """They are built once per profile and kind of key, and must not be mixed up."""
    authority = making.root().authority
    first, second = client(authority, NOW), client(authority, NOW)
    other = issue(prepare(for_key(making.key()), INTERMEDIATE, authority, subject=subject("ca"), now=NOW), authority)
    assert list(first.extensions) == list(second.extensions)
    assert other.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
