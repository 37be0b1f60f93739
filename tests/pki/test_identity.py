"""Names: what may be one, and that text with commas, quotes and emoji round-trips or is refused before signing."""

import re
import unicodedata
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from handclasp.errors import InvalidInput
from handclasp.pki.identity import (
    ClientId,
    Identity,
    application,
    client_id,
    environment,
    shown,
    subject,
    subject_text,
    trust_domain,
)
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import for_key
from tests import making
from tests.making import NOW

HOSTILE = [
    "", " ", ".", "..", "a..b", "../x", "a/b", "a\\b", "a\nb", "a\n", "\na", "a\0", "a b", "-a", "a-", ".a", "a.", "_a",
    "a" * 65, "\u0430cme", "acme\u200b", "acmé", "\uff41cme", "a,b", "a=b", "a%2fb", "a?b", "a#b", "a:b", "a@b",
    "a\u202eb",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("check", [client_id, environment, application])
def test_a_name_that_could_be_a_path_or_look_like_another_is_refused(check: object, text: str) -> None:
    assert callable(check)
    with pytest.raises(InvalidInput) as refused:
        check(text)
    assert str(refused.value).isascii()
    assert "\n" not in str(refused.value)
    assert refused.value.hint is not None


@pytest.mark.parametrize("text", ["a", "A9", "acme", "Acme-Corp_1.eu", "9", "a" * 64])
def test_a_client_name_is_up_to_64_letters_digits_dots_dashes_and_underscores(text: str) -> None:
    assert client_id(text) == text


@given(st.text())
def test_a_client_name_that_is_accepted_is_safe_in_a_path_and_in_a_spiffe_id(text: str) -> None:
    try:
        accepted = client_id(text)
    except InvalidInput:
        return
    assert accepted.isascii()
    assert not set(accepted) & set("/\\\0\n ?#%:")
    assert ".." not in accepted


def test_an_environment_is_lower_case_and_an_application_may_have_capitals() -> None:
    assert environment("prod-eu-1") == "prod-eu-1"
    assert application("NextJs") == "NextJs"
    assert environment("e" * 32) == "e" * 32
    for text in ("Prod", "e" * 33):
        with pytest.raises(InvalidInput):
            environment(text)
    with pytest.raises(InvalidInput):
        application("a" * 33)


def test_a_trust_domain_is_a_lower_case_host_like_name() -> None:
    assert trust_domain("handclasp.internal") == "handclasp.internal"
    assert trust_domain("t" * 255) == "t" * 255
    for text in ("", "Example.org", "a/b", "spiffe://x", ".x", "x.", "x\n", "t" * 256):
        with pytest.raises(InvalidInput, match="trust domain"):
            trust_domain(text)


def test_the_common_name_keeps_the_operators_habit() -> None:
    named = Identity("example.org", "prod", "nextJs", ClientId("acme"))
    assert named.common_name == "Prod-NextJs-Client"
    assert named.uri == "spiffe://example.org/prod/acme"


NASTY = [
    "Acme, Inc.",
    'a"b',
    "CN=x",
    "a+b",
    "a;b<c>d",
    "#hash",
    "back\\slash",
    "🤝 Hand",
    "Ünïcödé",
    "a\u200db",
    "日本",
]


@given(st.text(max_size=70))
@example("x" * 64)
@example("x" * 65)
@example("🤝" * 16)
@example("🤝" * 17)
@example("é" * 64)
@example("\ud800")
@example("a\u202eb")
def test_subject_text_round_trips_or_is_refused_before_signing(text: str) -> None:
    try:
        accepted = subject_text(text, "common name")
    except InvalidInput:
        return
    _round_trip(accepted)


@given(st.text())
def test_a_refusal_is_one_line_of_ascii(text: str) -> None:
    with suppress(InvalidInput):
        subject_text(text, "common name")
        return
    with pytest.raises(InvalidInput, match=r"\Acommon name [ -~]+\Z"):
        subject_text(text, "common name")


@pytest.mark.parametrize("text", NASTY)
def test_text_that_other_tools_split_stays_one_attribute(text: str) -> None:
    _round_trip(subject_text(text, "organization"))
    shown_by_openssl = making.openssl(
        "x509", "-noout", "-subject", "-nameopt", "utf8,sep_multiline", stdin=_signed(text).public_bytes(Encoding.PEM)
    )
    assert f"    O={text}\n" in shown_by_openssl.stdout.decode()


def _signed(text: str) -> x509.Certificate:
    authority = making.intermediate().authority
    request = for_key(making.key())
    return issue(prepare(request, CLIENT, authority, subject=subject(text, text), now=NOW), authority)


def _round_trip(text: str) -> None:
    read = x509.load_der_x509_certificate(_signed(text).public_bytes(Encoding.DER))
    assert [each.value for each in read.subject] == [text, text]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has 0 bytes"),
        ("x" * 65, "has 65 bytes"),
        ("🤝" * 17, "has 68 bytes"),
        (" x", "begins or ends with white space"),
        ("x\u3000", "begins or ends with white space"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("a\x7fb", "control"),
        ("a\u202eb", "control"),
        ("\ufeffb", "control"),
        ("\ud800", "control"),
        ("\ue000", "control"),
        ("\uffff", "control"),
    ],
)
def test_what_may_not_be_signed_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(why)):
        subject_text(text, "common name")


@given(st.text(min_size=1))
def test_hostile_text_is_shown_on_one_line_of_ascii(text: str) -> None:
    printed = shown(text)
    assert printed.isascii()
    assert not any(unicodedata.category(each) == "Cc" for each in printed)
    assert len(printed) <= 10 * 83 + 2
