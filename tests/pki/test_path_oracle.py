"""Hierarchies of every shape, judged by us and by OpenSSL: what we accept OpenSSL accepts, and the other way round.

OpenSSL runs with `-x509_strict` off, as TLS servers run it, and with `-purpose sslclient`. Where the two are known
to differ the shape is left out of the generator, and the difference is a test of its own in test_path.py: the key
strengths and hashes of our policy, the length of five, and that a chain may start at an expired anchor.
"""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

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
T = TypeVar("T")
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


def often(usual: T, *unusual: T) -> st.SearchStrategy[T]:
    return st.sampled_from([usual] * 8 + list(unusual))


ISSUERS = st.builds(
    Shape,
    is_ca=often(True, False),
    constraints=st.just(True),
    path_length=often(None, 0, 1, 2),
    cert_sign=often(True, False),
    usage=often(True, False),
    purpose=often("none", "client", "server", "both"),
    validity=often("now", "expired", "not yet"),
    unknown_critical=often(False, True),
    forged=often(False, True),
)
END_ENTITIES = st.builds(
    Shape,
    is_ca=st.just(False),
    constraints=st.booleans(),
    cert_sign=st.just(False),
    usage=st.booleans(),
    purpose=often("client", "none", "server", "both"),
    validity=often("now", "expired", "not yet"),
    unknown_critical=often(False, True),
    forged=often(False, True),
)
ROOTS = st.builds(Shape, path_length=often(None, 0, 1), usage=often(True, False))


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


@settings(max_examples=150)
@given(root=ROOTS, issuers=st.lists(ISSUERS, max_size=3), end_entity=END_ENTITIES)
def test_openssl_and_we_agree_on_chains_of_every_shape(root: Shape, issuers: list[Shape], end_entity: Shape) -> None:
    above = certified(root, "Root", 0, None)
    chain = [above.certificate]
    for number, shape in enumerate(issuers, start=1):
        above = certified(shape, f"Issuer {number}", number, above)
        chain.insert(0, above.certificate)
    chain.insert(0, certified(end_entity, "acme", 9, above).certificate)
    assert we_accept(chain) is openssl_accepts(chain)
