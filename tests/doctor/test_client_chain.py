"""The client's certificate, its chain and the CA file, before any server is asked."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.pki.issuance import IssuingAuthority
from handclasp.pki.keys import KeyAlgorithm, seal
from handclasp.pki.pem import certificate_pem
from handclasp.pki.profile import ROOT, SERVER
from handclasp.verify.doctor import Code

from .conftest import NOW, Ca, Pair, Pki, examine, problems, root


def test_an_intermediate_that_is_nowhere_is_named(pki: Pki) -> None:
    found = examine(pki.client, cert=pki.client.cert, ca=pki.root.pem)
    assert problems(found) == {Code.INTERMEDIATE_MISSING}
    assert "CN=Test Intermediate" in found[Code.INTERMEDIATE_MISSING].message


def test_an_intermediate_in_the_ca_file_is_enough(pki: Pki) -> None:
    found = examine(pki.client, cert=pki.client.cert, ca=pki.root.pem + pki.intermediate.pem)
    assert Code.PATH_VALID in found
    assert not problems(found)


def test_a_chain_of_another_ca_is_told_from_a_missing_intermediate(pki: Pki) -> None:
    found = examine(pki.client, cert=pki.client.chain, ca=pki.stranger.pem)
    assert problems(found) == {Code.NOT_ISSUED_BY_CA}


def test_a_ca_made_again_under_its_old_name_is_recognised(pki: Pki) -> None:
    found = examine(pki.client, ca=root("Test Root").pem)
    assert "did not sign it" in found[Code.NOT_ISSUED_BY_CA].message


def test_a_chain_that_begins_with_the_ca_is_reordered_and_read_on(pki: Pki) -> None:
    backwards = certificate_pem(*reversed((pki.client.certificate, *pki.client.above)))
    found = examine(pki.client, cert=backwards, ca=pki.root.pem)
    assert problems(found) == {Code.CHAIN_ORDER}
    assert {Code.KEY_MATCHES, Code.PATH_VALID} <= set(found)
    assert "CN=Prod-Acme-Client, then CN=Test Intermediate, then CN=Test Root" in str(found[Code.CHAIN_ORDER].fix)


def test_shuffled_intermediates_are_a_warning(pki: Pki) -> None:
    shuffled = certificate_pem(
        pki.client.certificate, pki.root.authority.certificate, pki.intermediate.authority.certificate
    )
    assert examine(pki.client, cert=shuffled)[Code.CHAIN_ORDER].severity == "warning"


def test_an_expired_certificate_is_expired_if_the_clock_is_right(pki: Pki) -> None:
    found = examine(pki.client, ca=pki.root.pem, now=NOW + timedelta(days=100))
    assert problems(found) == {Code.EXPIRED}
    assert "10 days" in found[Code.EXPIRED].message
    assert "if this machine's clock is right" in found[Code.EXPIRED].message


def test_a_certificate_of_tomorrow_is_not_yet_valid(pki: Pki) -> None:
    pair = pki.root.issue("Early-Client", at=NOW + timedelta(days=1))
    assert problems(examine(pair, ca=pki.root.pem)) == {Code.NOT_YET_VALID}


def test_the_last_tenth_of_a_life_is_warned_about(pki: Pki) -> None:
    found = examine(pki.client, now=NOW + timedelta(days=85))
    assert found[Code.EXPIRES_SOON].severity == "warning"


def test_a_server_certificate_is_no_client_certificate(pki: Pki) -> None:
    found = examine(pki.server, ca=pki.root.pem)
    assert problems(found) == {Code.WRONG_USAGE}
    assert "serverAuth" in found[Code.WRONG_USAGE].message


def test_a_ca_certificate_is_no_client_certificate(pki: Pki) -> None:
    ca = pki.intermediate.authority
    found = examine(Pair(ca.certificate, ca.key, (pki.root.authority.certificate,)))
    assert "CA's certificate" in found[Code.WRONG_USAGE].message


def test_rsa_1024_is_weak_and_openssl_will_not_load_it(weak_client: Pair, pki: Pki) -> None:
    found = examine(weak_client, ca=pki.root.pem)
    assert {Code.WEAK_KEY, Code.CREDENTIAL_UNUSABLE} <= problems(found)
    assert "RSA-1024" in found[Code.WEAK_KEY].message
    assert "security level" in found[Code.WEAK_KEY].message


@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_a_broken_hash_is_a_weak_signature(digest: str, pki: Pki, tmp_path: Path) -> None:
    # `cryptography` refuses to make such a certificate; the openssl command does not.
    old = root("Old Root", KeyAlgorithm.RSA2048)
    (tmp_path / "key").write_bytes(pki.client.key)
    (tmp_path / "ca.key").write_bytes(seal(old.authority.key))
    (tmp_path / "ca.crt").write_bytes(old.pem)
    request = ["openssl", "req", "-new", "-key", "key", "-subj", "/CN=Old-Client", "-out", "csr"]
    sign = ["openssl", "x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key", f"-{digest}"]
    for command in (request, [*sign, "-out", "crt"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = examine(pki.client, cert=(tmp_path / "crt").read_bytes(), ca=old.pem)
    assert digest.upper() in found[Code.WEAK_SIGNATURE].message
    assert "SECLEVEL" in str(found[Code.WEAK_SIGNATURE].fix)


def _tower(pki: Pki, storeys: int) -> tuple[Ca, Pair]:
    ca = pki.root
    for storey in range(storeys):
        ca = ca.below(f"Storey {storey}", ROOT)
    return ca, ca.issue("High-Client")


def test_five_cas_are_too_many(pki: Pki) -> None:
    _, pair = _tower(pki, 4)
    found = examine(pair, cert=pair.chain, ca=pki.root.pem)
    assert Code.PATH_TOO_DEEP in problems(found)


def test_a_path_length_constraint_makes_a_path_too_deep(pki: Pki) -> None:
    forbidden = pki.intermediate.below("Below pathLen 0")
    pair = forbidden.issue("Low-Client")
    found = examine(pair, cert=pair.chain, ca=pki.root.pem)
    assert Code.PATH_TOO_DEEP in problems(found)


def test_a_ca_file_without_root_is_warned_about(pki: Pki) -> None:
    found = examine(pki.client, ca=pki.intermediate.pem)
    assert found[Code.CA_FILE_WITHOUT_ROOT].severity == "warning"


def test_cas_that_certify_each_other_do_not_make_it_run_for_ever(pki: Pki) -> None:
    one, two = root("One"), root("Two")
    crossed = [
        Ca(IssuingAuthority(a.authority.certificate, a.authority.key)).issue(name, ROOT).certificate
        for a, name in ((one, "Two"), (two, "One"))
    ]
    pair = one.issue("Crossed-Client")
    found = examine(pair, cert=certificate_pem(pair.certificate, *crossed), ca=pki.root.pem)
    assert isinstance(crossed[0], x509.Certificate)
    assert problems(found)


def test_a_hostile_subject_cannot_write_to_the_terminal(pki: Pki) -> None:
    pair = pki.root.issue("\x1b[2J\x07evil", SERVER)
    found = examine(pair, ca=pki.root.pem)
    assert all("\x1b" not in finding.message for finding in found.values())
