"""Any subject arrives as printable ASCII that means the same, in a header of its own and in XFCC."""

import re

import pytest

from handclasp.gateway.identity_headers import XFCC, identity_headers, printable
from tests.gateway.conftest import Guarded
from tests.gateway.entries import NOT_AFTER, entry
from tests.gateway.service import header

SUBJECTS = {
    "comma and equals": "Acme, Inc.=CN=x",
    "quotes": "the \"best\" 'one'",
    "percent": "100%25 %DOWNSTREAM_PEER_SUBJECT% %% %",
    "backslash": "back\\slash \\2c \\",
    "emoji": "\U0001f510 caf\u00e9 \u65e5\u672c",
    "semicolon": "a;URI=spiffe://evil/x;Hash=0",
    "angle brackets and plus": "<a>+b#c",
    "sixty-four": "x" * 64,
}


@pytest.mark.parametrize("what", SUBJECTS)
def test_the_upstream_reads_the_subject_that_was_certified(what: str, guarded: Guarded) -> None:
    at = guarded.deployment
    caller = at.enrol(f"subject-{what.replace(' ', '-')}", common_name=SUBJECTS[what])
    at.let_in(caller)
    with at.http1(caller) as connection:
        connection.ask()
    request = guarded.service.last
    certified = at.registry.certificates(caller.name)[0].subject
    [subject] = header(request, "x-client-subject")
    [forwarded] = header(request, XFCC)

    assert subject == printable(certified)
    assert _octets(subject) == certified.encode()
    # Envoy's own quoting: a quote or backslash inside has a backslash before it; no quote ends it early.
    found = re.fullmatch(r'Hash=([0-9a-f]{64});Subject="((?:[^"\\]|\\.)*)";URI=(\S+)', forwarded)
    assert found is not None
    assert found[1] == caller.fingerprint
    assert re.sub(r"\\(.)", r"\1", found[2]) == subject
    assert found[3] == f"spiffe://handclasp.internal/prod/{caller.name}"


def _octets(text: str) -> bytes:
    """Undo `printable`, and nothing else: RFC 4514's hex pairs of what is not ASCII."""
    return re.sub(rb"\\([89a-f][0-9a-f])", lambda pair: bytes.fromhex(pair[1].decode()), text.encode())


def test_a_uri_that_would_read_as_another_field_is_left_out_of_xfcc() -> None:
    tricky = entry("acme", 1, uris=("spiffe://fine/x", "x:a,b", "x:a;Hash=0", 'x:"', "x:a=b"))
    assert identity_headers(tricky, NOT_AFTER)[XFCC].endswith(";URI=spiffe://fine/x")


def test_a_certificate_without_san_has_no_uri() -> None:
    assert "URI" not in identity_headers(entry("acme", 1), NOT_AFTER)[XFCC]


def test_the_rest_of_the_identity() -> None:
    made = identity_headers(entry("acme", 1), NOT_AFTER)
    assert made["x-client-not-after"] == "2026-03-31T23:59:59Z"
    assert (made["x-client-environment"], made["x-client-application"]) == ("prod", "shop")
