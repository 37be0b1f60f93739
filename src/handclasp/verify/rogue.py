"""Certificates nobody should accept, made in memory: what an attacker makes who has read the real one.

They copy every public fact (names, serial number, extensions, even the issuer's key identifier) and lack the one
thing that counts, the issuer's key. Their keys are of the real key's kind, so that a refusal is about the
signature and not about an algorithm.
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, self_signed
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.pki.profile import CLIENT, ROOT
from handclasp.pki.request import for_key
from handclasp.verify.credential import Credential

_LIFETIME = timedelta(hours=1)


def self_signed_rogue(real: Credential, now: datetime) -> Credential:
    """A client certificate that is its own issuer, under the real client's name."""
    key = _key_like(real.key)
    name = real.chain[0].subject if len(real.chain[0].subject) else subject("Rogue")
    return Credential((self_signed(key, subject=name, now=now, profile=CLIENT, lifetime=_LIFETIME),), key)


def rogue_client(real: Credential, now: datetime) -> Credential:
    """A client of its own invention, from a CA that calls itself what the real issuer is called."""
    authority = _rogue_ca(real, now)
    key = _key_like(real.key)
    name = subject("Rogue-Client")
    prepared = prepare(for_key(key), CLIENT, authority, subject=name, now=now, lifetime=_LIFETIME)
    return Credential((issue(prepared, authority), authority.certificate), key)


def impostor(real: Credential, now: datetime) -> Credential:
    """The real client's certificate, word for word, over another key and signed by such a CA."""
    authority = _rogue_ca(real, now)
    key = _key_like(real.key)
    original = real.chain[0]
    copy = x509.CertificateBuilder(
        original.issuer,
        original.subject,
        key.public_key(),
        original.serial_number,
        original.not_valid_before_utc,
        original.not_valid_after_utc,
        list(original.extensions),
    ).sign(authority.key, authority.signature_hash)
    return Credential((copy, authority.certificate), key)


def _rogue_ca(real: Credential, now: datetime) -> IssuingAuthority:
    key = _key_like(real.key)
    name = real.chain[0].issuer
    return IssuingAuthority(self_signed(key, subject=name, now=now, profile=ROOT, lifetime=_LIFETIME), key)


def _key_like(real: PrivateKey) -> PrivateKey:
    return generate(KeyAlgorithm.RSA2048 if isinstance(real, rsa.RSAPrivateKey) else KeyAlgorithm.P256)
