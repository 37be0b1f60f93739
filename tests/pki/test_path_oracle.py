"""Hierarchies of every shape, judged by us and by OpenSSL: what we accept OpenSSL accepts, and the other way round.

OpenSSL runs with `-x509_strict` off, as TLS servers run it, and with `-purpose sslclient`. Where the two are known
to differ the shape is left out of the generator, and the difference is a test of its own in test_path.py: the key
strengths and hashes of our policy, the length of five, and that a chain may start at an expired anchor.
"""

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from handclasp.errors import PathInvalid
from handclasp.pki.path import verify_path
from tests import making
from tests.making import CERT_SIGN, DIGITAL_SIGNATURE, NOW, UNKNOWN_EXTENSION, Ca, certificate, purpose

PURPOSES = {
    "none": (),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
    "server": (ExtendedKeyUsageOID.SERVER_AUTH,),
    "both": (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
}
VALIDITY = {"now": (-1, 30), "expired": (-30, -1), "not yet": (1, 30)}


@dataclass(frozen=True)
class Shape:
    """One certificate of a chain, and whether its issuer signed it or somebody of the same name."""

    is_ca: bool = True
    constraints: bool = True
    path_length: int | None = None
    cert_sign: bool = True
    usage: bool = True
    purpose: str = "none"
    validity: str = "now"
    unknown_critical: bool = False
    forged: bool = False


ISSUER = Shape()
END_ENTITY = Shape(is_ca=False, constraints=False, cert_sign=False, purpose="client")
#: What may be changed in a chain in which all is well. An end entity's place among the CAs is none of these.
CHANGES: list[tuple[str, object]] = [
    ("constraints", True),
    ("is_ca", False),
    ("path_length", 0),
    ("path_length", 1),
    ("path_length", 2),
    ("cert_sign", False),
    ("usage", False),
    ("purpose", "none"),
    ("purpose", "client"),
    ("purpose", "server"),
    ("purpose", "both"),
    ("validity", "expired"),
    ("validity", "not yet"),
    ("unknown_critical", True),
    ("forged", True),
]


@st.composite
def chains(draw: st.DrawFn) -> list[Shape]:
    """Root first: up to three intermediates, an end entity, and up to three changes anywhere."""
    shapes = [ISSUER] * draw(st.integers(min_value=1, max_value=4)) + [END_ENTITY]
    for name, value in draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
        at = draw(st.integers(min_value=0, max_value=len(shapes) - 1))
        if at < len(shapes) - 1 or name not in {"is_ca", "path_length", "cert_sign"}:
            shapes[at] = replace(shapes[at], **{name: value})  # type: ignore[arg-type]
    return shapes


def certified(shape: Shape, name: str, number: int, issuer: Ca | None) -> Ca:
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if shape.constraints:
        length = shape.path_length if shape.is_ca else None
        extensions.append((x509.BasicConstraints(ca=shape.is_ca, path_length=length), True))
    if shape.usage:
        extensions.append((CERT_SIGN if shape.cert_sign else DIGITAL_SIGNATURE, True))
    if PURPOSES[shape.purpose]:
        extensions.append(purpose(*PURPOSES[shape.purpose]))
    if shape.unknown_critical:
        extensions.append((UNKNOWN_EXTENSION, True))
    begin, end = VALIDITY[shape.validity]
    signer = Ca(issuer.certificate, making.key(number=99)) if issuer and shape.forged else issuer
    key = making.key(number=40 + number)
    not_before, not_after = NOW + timedelta(days=begin), NOW + timedelta(days=end)
    made = certificate(name, signer, of=key, extensions=extensions, not_before=not_before, not_after=not_after)
    return Ca(made, key)


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="handclasp-oracle-"))


def openssl_accepts(chain: list[x509.Certificate]) -> bool:
    end_entity = making.write_pem(folder() / "end.pem", chain[:1])
    between = making.write_pem(folder() / "between.pem", chain[1:-1])
    anchor = making.write_pem(folder() / "anchor.pem", chain[-1:])
    untrusted: list[str | Path] = ["-untrusted", between] if chain[1:-1] else []
    judged = making.openssl(
        "verify", "-no-CApath", "-no-CAstore", "-attime", str(int(NOW.timestamp())), "-purpose", "sslclient",
        "-CAfile", anchor, *untrusted, end_entity,
    )  # fmt: skip
    return judged.returncode == 0


def we_accept(chain: list[x509.Certificate]) -> bool:
    try:
        verify_path(chain[0], chain[1:-1], chain[-1:], now=NOW)
    except PathInvalid:
        return False
    return True


@settings(max_examples=250)
@given(chains())
def test_openssl_and_we_agree_on_chains_of_every_shape(shapes: list[Shape]) -> None:
    above: Ca | None = None
    chain: list[x509.Certificate] = []
    for number, shape in enumerate(shapes):
        above = certified(shape, f"Number {number}", number, above)
        chain.insert(0, above.certificate)
    assert we_accept(chain) is openssl_accepts(chain)
