"""OpenSSL in its strict mode and `cryptography`'s own verifier accept our certificates, for every kind of key."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from handclasp.errors import PathInvalid
from handclasp.pki.identity import subject
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.path import CLIENT_AUTH, SERVER_AUTH, verify_path
from handclasp.pki.profile import CLIENT, OCSP_RESPONDER, SERVER, Profile
from handclasp.pki.request import for_key
from tests import making
from tests.making import NOW

SPIFFE = x509.UniformResourceIdentifier("spiffe://handclasp.internal/prod/acme")
HOST = x509.DNSName("gateway.example.internal")
LATER = NOW + timedelta(hours=1)

SLOW = pytest.mark.slow
ALGORITHMS = [pytest.param(a, marks=SLOW if a is KeyAlgorithm.RSA4096 else ()) for a in KeyAlgorithm]


def end_entity(profile: Profile, hierarchy: KeyAlgorithm, algorithm: KeyAlgorithm) -> x509.Certificate:
    authority = making.intermediate(hierarchy).authority
    named: dict[str, tuple[x509.Name, list[x509.GeneralName]]] = {
        "client": (subject("Prod-NextJs-Client"), [SPIFFE]),
        "server": (x509.Name([]), [HOST]),
        "ocsp-responder": (subject("Test OCSP"), []),
    }
    name, names = named[profile.name]
    prepared = prepare(
        for_key(making.key(algorithm)), profile, authority, subject=name, now=NOW, names=names
    )  # fmt: skip
    return issue(prepared, authority)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("purpose", ["sslclient", "sslserver", "ocsphelper"])
def test_openssl_accepts_in_strict_mode(purpose: str, algorithm: KeyAlgorithm, tmp_path: Path) -> None:
    profile = {"sslclient": CLIENT, "sslserver": SERVER, "ocsphelper": OCSP_RESPONDER}[purpose]
    made = making.write_pem(tmp_path / "made.pem", [end_entity(profile, algorithm, algorithm)])
    root = making.write_pem(tmp_path / "root.pem", [making.root(algorithm).certificate])
    middle = making.write_pem(tmp_path / "middle.pem", [making.intermediate(algorithm).certificate])
    for depth in range(2):
        purposes = ["-purpose", purpose] if depth == 0 else ["-purpose", "crlsign"]
        judged = making.openssl(
            "verify", "-x509_strict", "-attime", str(int(LATER.timestamp())), *purposes,
            "-CAfile", root, "-untrusted", middle, made if depth == 0 else middle,
        )  # fmt: skip
        assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_kind_of_client_key_is_accepted_below_a_p256_hierarchy(algorithm: KeyAlgorithm) -> None:
    made = end_entity(CLIENT, KeyAlgorithm.P256, algorithm)
    anchors, between = [making.root().certificate], [making.intermediate().certificate]
    verifier = PolicyBuilder().store(Store(anchors)).time(LATER).build_client_verifier()
    judged = verifier.verify(made, between)
    assert judged.chain == [made, *between, *anchors]
    assert judged.subjects == [SPIFFE]
    assert verify_path(made, between, anchors, now=LATER).certificates == tuple(judged.chain)


def test_a_server_certificate_is_accepted_for_its_name_and_not_as_a_client() -> None:
    made = end_entity(SERVER, KeyAlgorithm.P256, KeyAlgorithm.P256)
    store = Store([making.root().certificate])
    between = [making.intermediate().certificate]
    PolicyBuilder().store(store).time(LATER).build_server_verifier(HOST).verify(made, between)
    with pytest.raises(VerificationError):
        PolicyBuilder().store(store).time(LATER).build_client_verifier().verify(made, between)


def test_a_client_certificate_is_refused_as_a_server_by_both() -> None:
    made = end_entity(CLIENT, KeyAlgorithm.P256, KeyAlgorithm.P256)
    store = Store([making.root().certificate])
    between = [making.intermediate().certificate]
    with pytest.raises(VerificationError):
        PolicyBuilder().store(store).time(LATER).build_server_verifier(HOST).verify(made, between)
    with pytest.raises(PathInvalid, match="may not be used for serverAuth"):
        verify_path(made, between, [making.root().certificate], now=LATER, usage=SERVER_AUTH)
    assert verify_path(made, between, [making.root().certificate], now=LATER, usage=CLIENT_AUTH).end_entity == made
