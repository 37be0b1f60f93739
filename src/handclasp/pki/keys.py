"""Private keys: which kinds exist here, making them, opening and sealing them, and which keys are too weak."""

from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from handclasp.errors import InvalidInput, KeyUnavailable, PassphraseMissing
from handclasp.pki.pem import check_size

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class KeyAlgorithm(StrEnum):
    """P-256 is the default: every P-384 signature in a path multiplies what a handshake costs the gateway."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"


_CURVES: dict[str, tuple[KeyAlgorithm, type[ec.EllipticCurve]]] = {
    "secp256r1": (KeyAlgorithm.P256, ec.SECP256R1),
    "secp384r1": (KeyAlgorithm.P384, ec.SECP384R1),
}
_CURVE_OF = dict(_CURVES.values())
_RSA_BITS = {KeyAlgorithm.RSA2048: 2048, KeyAlgorithm.RSA3072: 3072, KeyAlgorithm.RSA4096: 4096}

#: CA/Browser Forum Baseline Requirements 6.1.6: exponents below 2^16 + 1 are not for new keys.
MIN_RSA_EXPONENT = 65_537
MIN_RSA_BITS = 2_048
#: A verifier's work grows with the cube of the modulus: a larger key is a way to make gateways busy.
MAX_RSA_BITS = 8_192
#: OpenSSL's PEM_BUFSIZE less its terminating zero: no tool could open what a longer one seals.
MAX_PASSPHRASE_BYTES = 1_023


class PrivateKeyPem(bytes):
    """PKCS#8 PEM that cannot be printed by accident: its repr and str hide it."""

    def __repr__(self) -> str:
        return "PrivateKeyPem(<hidden>)"

    __str__ = __repr__


def generate(algorithm: KeyAlgorithm) -> PrivateKey:
    """A new key from the operating system's random source."""
    if algorithm in _CURVE_OF:
        return ec.generate_private_key(_CURVE_OF[algorithm]())
    if algorithm in _RSA_BITS:
        return rsa.generate_private_key(MIN_RSA_EXPONENT, _RSA_BITS[algorithm])
    return ed25519.Ed25519PrivateKey.generate()


def seal(key: PrivateKey, passphrase: bytes | None = None) -> PrivateKeyPem:
    """PKCS#8 PEM; with a passphrase PBES2 (RFC 8018), the strongest cipher and KDF the library has.

    Raises InvalidInput for a passphrase that cannot be used.
    """
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = encryption_with(passphrase)
    return PrivateKeyPem(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


def encryption_with(passphrase: bytes) -> serialization.KeySerializationEncryption:
    """Encryption under `passphrase`. Raises InvalidInput for an empty one, or one longer than OpenSSL reads."""
    if not 1 <= len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise InvalidInput(f"the passphrase has {len(passphrase)} bytes; 1 to {MAX_PASSPHRASE_BYTES} can be used")
    return serialization.BestAvailableEncryption(passphrase)


def is_encrypted(pem: bytes) -> bool:
    """True for an encrypted PKCS#8 block or OpenSSL's older `Proc-Type: 4,ENCRYPTED`."""
    return b"ENCRYPTED" in pem


def open_sealed(pem: bytes, passphrase: bytes | None = None, what: str = "the private key") -> PrivateKey:
    """The key in PEM (PKCS#8, SEC 1, PKCS#1) or DER.

    Raises PassphraseMissing, KeyUnavailable for a wrong passphrase, InvalidInput for anything that is not a key.
    """
    check_size(pem, what)
    if is_encrypted(pem) and passphrase is None:
        raise PassphraseMissing(f"{what} is encrypted and no passphrase was given")
    try:
        if b"-----BEGIN " in pem:
            # The library refuses a passphrase for a key that needs none; the caller need not know which it is.
            key = serialization.load_pem_private_key(pem, passphrase if is_encrypted(pem) else None)
        else:
            key = _load_der(pem, passphrase)
    except TypeError:
        raise PassphraseMissing(f"{what} is encrypted and no passphrase was given") from None
    except ValueError:
        if is_encrypted(pem):
            raise KeyUnavailable(f"the passphrase does not open {what}") from None
        hint = "or the passphrase does not open it" if passphrase is not None and b"-----BEGIN " not in pem else None
        raise InvalidInput(f"{what} is not a private key in PEM or DER", hint=hint) from None
    except UnsupportedAlgorithm:
        raise InvalidInput(f"{what} is of a kind that is not supported") from None
    return supported(key, what)


def _load_der(der: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    """DER does not say from outside whether it is encrypted: try without the passphrase first."""
    try:
        return serialization.load_der_private_key(der, None)
    except TypeError:
        if passphrase is None:
            raise
        return serialization.load_der_private_key(der, passphrase)


def holds(sealed: bytes, key: PrivateKey, passphrase: bytes | None = None) -> bool:
    """True if `sealed` is what `seal(key, passphrase)` gives: this key, under this passphrase or under none."""
    if is_encrypted(sealed) != (passphrase is not None):
        return False
    try:
        return open_sealed(sealed, passphrase).public_key() == key.public_key()
    except (KeyUnavailable, InvalidInput):
        return False


def supported(key: PrivateKeyTypes, what: str) -> PrivateKey:
    """The key if it is of a kind we sign with. Raises InvalidInput otherwise."""
    if isinstance(key, PrivateKey):
        return key
    raise InvalidInput(f"{what} is of a kind that is not supported; use EC, RSA or Ed25519")


def public_key_faults(key: PublicKeyTypes) -> list[str]:
    """What makes this key unfit for a certificate; empty when it is fit."""
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa_faults(key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            return [f"EC keys are accepted on P-256 and P-384, not on {key.curve.name}"]
        return []
    if isinstance(key, ed25519.Ed25519PublicKey):
        return []
    return ["the key is neither EC, RSA nor Ed25519"]


def _rsa_faults(key: rsa.RSAPublicKey) -> list[str]:
    faults = []
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        faults.append(f"RSA keys have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, this one {key.key_size}")
    exponent = key.public_numbers().e
    if exponent < MIN_RSA_EXPONENT or exponent % 2 == 0:
        faults.append(f"the RSA public exponent is {exponent}; it must be odd and at least {MIN_RSA_EXPONENT}")
    return faults


def algorithm_of(key: PublicKeyTypes) -> KeyAlgorithm:
    """The kind to generate for a key that takes this one's place; RSA of an odd size gets the next larger."""
    if isinstance(key, rsa.RSAPublicKey):
        sizes = (KeyAlgorithm.RSA2048, KeyAlgorithm.RSA3072, KeyAlgorithm.RSA4096)
        return next((a for a in sizes if key.key_size <= int(a.value.removeprefix("rsa"))), sizes[-1])
    if isinstance(key, ed25519.Ed25519PublicKey):
        return KeyAlgorithm.ED25519
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return KeyAlgorithm.P384
    return KeyAlgorithm.P256


def describe(key: PublicKeyTypes) -> str:
    """The kind of key in words: "RSA-2048", "P-256", "Ed25519"."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(key.curve.name, key.curve.name)
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """The hash a signature with this key uses: as strong as the key (NIST SP 800-57); Ed25519 brings its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return hashes.SHA384()
    return hashes.SHA256()


def spki(key: PublicKeyTypes) -> bytes:
    """SubjectPublicKeyInfo in DER (RFC 5280 4.1.2.7)."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
