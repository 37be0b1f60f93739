"""Certification paths: which rule a path breaks, and that the faults are told apart."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.errors import PathInvalid
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.path import (
    MAX_CERTIFICATES,
    MAX_SIGNATURE_CHECKS,
    SERVER_AUTH,
    CertificationPath,
    Fault,
    signature_hash_of,
    verify_path,
)
from tests import making
from tests.making import CERT_SIGN, DIGITAL_SIGNATURE, NOW, UNKNOWN_EXTENSION, Ca, ca, certificate, purpose

ROOT = ca("Root")
ISSUER = ca("Issuer", ROOT, path_length=0)
CLIENT_AUTH = purpose(ExtendedKeyUsageOID.CLIENT_AUTH)
DAY = timedelta(days=1)


def verify(
    end_entity: x509.Certificate, *intermediates: Ca, anchors: tuple[Ca, ...] = (ROOT,), as_ca: bool = False
) -> CertificationPath:
    return verify_path(
        end_entity,
        [each.certificate for each in intermediates],
        [each.certificate for each in anchors],
        now=NOW,
        as_ca=as_ca,
    )


def fault(end_entity: x509.Certificate, *intermediates: Ca, anchors: tuple[Ca, ...] = (ROOT,)) -> Fault:
    with pytest.raises(PathInvalid) as refused:
        verify(end_entity, *intermediates, anchors=anchors)
    assert refused.value.subject
    assert "\n" not in str(refused.value)
    return Fault(refused.value.fault)


def test_a_path_runs_from_the_end_entity_to_the_anchor() -> None:
    made = certificate("acme", ISSUER, extensions=[CLIENT_AUTH])
    path = verify(made, ISSUER)
    assert path.certificates == (made, ISSUER.certificate, ROOT.certificate)
    assert path.end_entity == made
    assert path.anchor == ROOT.certificate


def test_a_plain_certificate_without_any_extension_is_accepted() -> None:
    """As operators make them with `openssl x509 -req`: adopted hierarchies have them."""
    assert verify(certificate("plain", ROOT)).anchor == ROOT.certificate


def test_a_version_1_root_may_be_an_anchor_but_no_intermediate() -> None:
    old = Ca(certificate("Old Root", of=making.key(number=20)), making.key(number=20))
    assert verify(certificate("acme", old), anchors=(old,)).anchor == old.certificate
    between = Ca(certificate("Old Issuer", ROOT, of=making.key(number=21)), making.key(number=21))
    assert fault(certificate("acme", between), between) is Fault.NOT_A_CA


def test_an_end_entity_that_is_an_anchor_itself_is_its_own_path() -> None:
    pinned = Ca(certificate("pinned"), making.key())
    assert verify(pinned.certificate, anchors=(pinned,)).certificates == (pinned.certificate,)


def _expired() -> Fault:
    return fault(certificate("late", ISSUER, not_after=NOW - timedelta(seconds=1)), ISSUER)


def _early() -> Fault:
    return fault(certificate("early", ISSUER, not_before=NOW + timedelta(seconds=1)), ISSUER)


def _expired_issuer() -> Fault:
    old = ca("Old", ROOT, not_after=NOW - DAY + timedelta(hours=1))
    return fault(certificate("x", old), old)


def _expired_anchor() -> Fault:
    old = ca("Old Root", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    return fault(certificate("x", old), anchors=(old,))


def _stranger() -> Fault:
    other = ca("Other Root")
    return fault(certificate("x", other))


def _self_signed() -> Fault:
    return fault(certificate("x"))


def _rogue_with_our_name() -> Fault:
    rogue = ca("Root")
    return fault(certificate("x", rogue))


def _rogue_that_presents_its_ca() -> Fault:
    rogue = ca("Root")
    return fault(certificate("x", rogue), rogue)


def _forged_signature() -> Fault:
    return fault(certificate("x", Ca(ISSUER.certificate, making.key())), ISSUER)


def _missing_intermediate() -> Fault:
    return fault(certificate("x", ISSUER))


def _end_entity_as_issuer() -> Fault:
    no_ca = Ca(certificate("client", ROOT, extensions=[CLIENT_AUTH]), making.key())
    return fault(certificate("x", no_ca), no_ca)


def _says_it_is_no_ca() -> Fault:
    said = x509.BasicConstraints(ca=False, path_length=None)
    no_ca = Ca(certificate("no CA", ROOT, extensions=[(said, True)]), making.key())
    return fault(certificate("x", no_ca), no_ca)


def _anchor_that_says_it_is_no_ca() -> Fault:
    said = x509.BasicConstraints(ca=False, path_length=None)
    no_ca = Ca(certificate("no CA", extensions=[(said, True)]), making.key())
    return fault(certificate("x", no_ca), anchors=(no_ca,))


def _without_certsign() -> Fault:
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    made = certificate("No Sign", ROOT, extensions=[(constraints, True), (DIGITAL_SIGNATURE, True)])
    return fault(certificate("x", Ca(made, making.key())), Ca(made, making.key()))


def _path_length() -> Fault:
    below = ca("Below", ISSUER)
    return fault(certificate("x", below), ISSUER, below)


def _six_certificates() -> Fault:
    chain = [ROOT]
    for number in range(4):
        chain.append(ca(f"Deep {number}", chain[-1]))
    return fault(certificate("x", chain[-1]), *chain[1:])


def _wrong_usage() -> Fault:
    return fault(certificate("x", ISSUER, extensions=[purpose(ExtendedKeyUsageOID.SERVER_AUTH)]), ISSUER)


def _wrong_usage_of_the_issuer() -> Fault:
    server_only = ca("Server Only", ROOT, also=[purpose(ExtendedKeyUsageOID.SERVER_AUTH)])
    return fault(certificate("x", server_only, extensions=[CLIENT_AUTH]), server_only)


def _cannot_sign_a_handshake() -> Fault:
    return fault(certificate("x", ISSUER, extensions=[(CERT_SIGN, True)]), ISSUER)


def _unknown_critical() -> Fault:
    return fault(certificate("x", ISSUER, extensions=[(UNKNOWN_EXTENSION, True)]), ISSUER)


def _unknown_critical_in_the_issuer() -> Fault:
    odd = ca("Odd", ROOT, also=[(UNKNOWN_EXTENSION, True)])
    return fault(certificate("x", odd), odd)


def _name_constraints() -> Fault:
    """They are not processed here, so a path below them is refused rather than half checked (4.2.1.10)."""
    constraints = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
    constrained = ca("Constrained", ROOT, also=[(constraints, True)])
    return fault(certificate("x", constrained), constrained)


def _weak_key() -> Fault:
    odd = ec.generate_private_key(ec.SECP521R1())
    return fault(certificate("x", ISSUER, of=odd), ISSUER)


def _key_of_unknown_kind() -> Fault:
    key = making.key()
    p256, unknown = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f")
    return fault(making.mangled(certificate("x", ROOT, of=key), p256, unknown, ROOT.key))


def _sha1() -> Fault:
    signer = making.root(KeyAlgorithm.RSA2048)
    made = certificate("x", signer)
    return fault(_signed_with_sha1(made, signer), anchors=(signer,))


def _signed_with_sha1(made: x509.Certificate, signer: Ca) -> x509.Certificate:
    sha256, sha1 = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")
    return making.mangled(made, sha256, sha1, signer.key, digest=hashes.SHA1())  # noqa: S303 - made to be refused


def _extension_twice() -> Fault:
    first, second = x509.ObjectIdentifier("1.2.3.4"), x509.ObjectIdentifier("1.2.3.5")
    extensions = [(x509.UnrecognizedExtension(oid, b"\x05\x00"), False) for oid in (first, second)]
    made = certificate("x", ROOT, extensions=extensions)
    return fault(making.mangled(made, b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04", ROOT.key))


def _extension_of_garbage() -> Fault:
    made = certificate("x", ROOT, extensions=[(DIGITAL_SIGNATURE, True)])
    return fault(making.mangled(made, b"\x03\x02\x07\x80", b"\x07\x02\x07\x80", ROOT.key))


def _name_of_garbage() -> Fault:
    made = certificate("xxxx", ROOT)
    return fault(making.mangled(made, b"\x0c\x04xxxx", b"\x0c\x04xx\xff\xff", ROOT.key))


BROKEN: dict[Callable[[], Fault], Fault] = {
    _expired: Fault.EXPIRED,
    _expired_issuer: Fault.EXPIRED,
    _expired_anchor: Fault.EXPIRED,
    _early: Fault.NOT_YET_VALID,
    _stranger: Fault.NO_ISSUER,
    _self_signed: Fault.NO_ISSUER,
    _missing_intermediate: Fault.NO_ISSUER,
    _rogue_with_our_name: Fault.SIGNATURE,
    _rogue_that_presents_its_ca: Fault.SIGNATURE,
    _forged_signature: Fault.SIGNATURE,
    _end_entity_as_issuer: Fault.NOT_A_CA,
    _says_it_is_no_ca: Fault.NOT_A_CA,
    _anchor_that_says_it_is_no_ca: Fault.NOT_A_CA,
    _without_certsign: Fault.NOT_A_CA,
    _path_length: Fault.PATH_TOO_LONG,
    _six_certificates: Fault.PATH_TOO_LONG,
    _wrong_usage: Fault.USAGE,
    _wrong_usage_of_the_issuer: Fault.USAGE,
    _cannot_sign_a_handshake: Fault.USAGE,
    _unknown_critical: Fault.UNKNOWN_CRITICAL,
    _unknown_critical_in_the_issuer: Fault.UNKNOWN_CRITICAL,
    _name_constraints: Fault.UNKNOWN_CRITICAL,
    _weak_key: Fault.WEAK_KEY,
    _key_of_unknown_kind: Fault.WEAK_KEY,
    _sha1: Fault.WEAK_SIGNATURE,
    _extension_twice: Fault.MALFORMED,
    _extension_of_garbage: Fault.MALFORMED,
    _name_of_garbage: Fault.MALFORMED,
}


@pytest.mark.parametrize(("broken", "expected"), BROKEN.items(), ids=[each.__name__[1:] for each in BROKEN])
def test_a_broken_path_is_refused_with_the_rule_it_breaks(broken: Callable[[], Fault], expected: Fault) -> None:
    assert broken() is expected


def test_every_fault_is_produced_by_one_of_these_paths() -> None:
    assert set(BROKEN.values()) == set(Fault)


def test_both_ends_of_the_validity_are_valid() -> None:
    made = certificate("x", ISSUER, not_before=NOW, not_after=NOW)
    assert verify(made, ISSUER).end_entity == made


def test_a_purpose_of_any_allows_ours() -> None:
    made = certificate("x", ISSUER, extensions=[purpose(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)])
    assert verify(made, ISSUER).end_entity == made


def test_self_issued_certificates_do_not_count_against_the_path_length() -> None:
    """RFC 5280 6.1.4 (l): a CA that changed its key issues itself a link certificate."""
    limited = ca("Limited", ROOT, path_length=0)
    link = ca("Limited", limited, path_length=0)
    made = certificate("x", link)
    assert verify(made, limited, link).certificates == (made, link.certificate, limited.certificate, ROOT.certificate)


def test_an_issuer_checked_as_a_ca_counts_against_the_path_length_above_it() -> None:
    """Nothing it issues could ever be valid, so it is refused when it is adopted and not when it is used."""
    narrow = ca("Narrow Root", path_length=0)
    below = ca("Below", narrow)
    with pytest.raises(PathInvalid) as refused:
        verify(below.certificate, anchors=(narrow,), as_ca=True)
    assert refused.value.fault == Fault.PATH_TOO_LONG
    assert verify(ISSUER.certificate, as_ca=True).end_entity == ISSUER.certificate


def test_an_end_entity_does_not_pass_as_a_ca() -> None:
    with pytest.raises(PathInvalid) as refused:
        verify(certificate("x", ROOT), as_ca=True)
    assert refused.value.fault == Fault.NOT_A_CA


@pytest.mark.parametrize("known", [0, 1])
def test_a_cross_signed_issuer_is_followed_to_whichever_root_is_trusted(known: int) -> None:
    roots = [ca("Old Root"), ca("New Root")]
    key = making.key(number=22)
    both = [ca("Cross", each, of=key) for each in roots]
    made = certificate("x", both[0])
    assert verify(made, *both, anchors=(roots[known],)).anchor == roots[known].certificate


def test_a_valid_path_is_found_beside_an_expired_one() -> None:
    key = making.key(number=23)
    expired = ca("Renewed", ROOT, of=key, not_after=NOW - timedelta(hours=1))
    renewed = ca("Renewed", ROOT, of=key)
    made = certificate("x", expired)
    assert verify(made, expired, renewed).certificates[1] == renewed.certificate


def test_the_fault_of_a_path_that_reaches_an_anchor_says_more_than_a_dead_end() -> None:
    expired = ca("Twice", ROOT, of=making.key(number=24), not_after=NOW - timedelta(hours=1))
    stray = ca("Twice", ca("Elsewhere"), of=making.key(number=24))
    assert fault(certificate("x", expired), stray, expired) is Fault.EXPIRED


def test_cas_that_sign_each_other_do_not_loop() -> None:
    one, two = making.key(number=25), making.key(number=26)
    name_of_two = certificate("Two", of=two)
    loop = [ca("One", Ca(name_of_two, two), of=one), ca("Two", Ca(certificate("One", of=one), one), of=two)]
    assert fault(certificate("x", loop[0]), *loop) is Fault.NO_ISSUER
    way_out = ca("One", ROOT, of=one)
    assert verify(certificate("x", loop[0]), *loop, way_out).anchor == ROOT.certificate


def test_five_certificates_are_the_longest_path() -> None:
    chain = [ROOT]
    for number in range(3):
        chain.append(ca(f"Deep {number}", chain[-1]))
    assert len(verify(certificate("x", chain[-1]), *chain[1:]).certificates) == MAX_CERTIFICATES


def test_a_bomb_of_look_alikes_buys_no_more_than_its_budget_of_signature_checks() -> None:
    made = certificate("x", ISSUER)
    one = ca("Issuer", ca("Nobody"))
    look_alikes = [one.certificate] * 5
    rogue = making.key(number=27)
    look_alikes += [
        certificate("Issuer", ROOT, of=rogue, not_after=NOW + timedelta(seconds=n)) for n in range(MAX_SIGNATURE_CHECKS)
    ]
    started = monotonic()
    with pytest.raises(PathInvalid) as refused:
        verify_path(made, [*look_alikes, ISSUER.certificate], [ROOT.certificate], now=NOW)
    assert refused.value.fault == Fault.PATH_TOO_LONG
    assert verify_path(made, [ISSUER.certificate, *look_alikes], [ROOT.certificate], now=NOW).end_entity == made
    assert monotonic() - started < 5


def test_a_mesh_of_cas_that_all_sign_each_other_is_given_up_in_time() -> None:
    keys = [making.key(number=30 + n) for n in range(8)]
    names = [Ca(certificate(f"Mesh {n}", of=key), key) for n, key in enumerate(keys)]
    mesh = [ca(f"Mesh {n}", signer, of=keys[n]) for n in range(8) for signer in names]
    started = monotonic()
    assert fault(certificate("x", names[0]), *mesh) is Fault.PATH_TOO_LONG
    assert monotonic() - started < 5


def test_candidates_whose_names_cannot_be_parsed_are_passed_over() -> None:
    unnamed = making.mangled(ISSUER.certificate, b"\x0c\x06Issuer", b"\x0c\x06Issu\xff\xff", ROOT.key)
    made = certificate("x", ISSUER)
    path = verify_path(made, [unnamed, ISSUER.certificate], [unnamed, ROOT.certificate], now=NOW)
    assert path.end_entity == made


def test_a_certificate_without_subject_is_named_by_its_serial_number() -> None:
    made = certificate("", ISSUER, not_after=NOW - timedelta(seconds=1))
    with pytest.raises(PathInvalid, match=f"certificate serial number {made.serial_number:x} expired"):
        verify(made, ISSUER)


def test_the_purpose_asked_for_is_the_one_that_counts() -> None:
    server = certificate("x", ROOT, extensions=[purpose(ExtendedKeyUsageOID.SERVER_AUTH)])
    assert verify_path(server, [], [ROOT.certificate], now=NOW, usage=SERVER_AUTH).end_entity == server


def test_an_anchors_own_weak_signature_is_no_part_of_the_path() -> None:
    """RFC 5280 6.1.1 (d): an anchor is a name and a key. Old roots are signed with SHA-1."""
    rsa = making.root(KeyAlgorithm.RSA2048)
    old = Ca(_signed_with_sha1(rsa.certificate, rsa), rsa.key)
    assert verify(certificate("x", old), anchors=(old,)).anchor == old.certificate


def test_a_signature_of_an_unknown_algorithm_has_no_hash() -> None:
    assert signature_hash_of(making.root(KeyAlgorithm.ED25519).certificate) is None
    der = making.root(KeyAlgorithm.RSA2048).certificate.public_bytes(Encoding.DER)
    unknown = der.replace(bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010103"))
    made = x509.load_der_x509_certificate(unknown)
    assert signature_hash_of(made) is None
    assert fault(made, anchors=(making.root(KeyAlgorithm.RSA2048),)) is Fault.SIGNATURE
