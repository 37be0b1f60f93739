"""Whether a certificate is for the key that was delivered last, and where it goes when it is not."""

from hashlib import sha256

from handclasp.errors import DeliveryFailed
from handclasp.pki.der import subject_and_key
from handclasp.pki.pem import first_der


def is_for_same_key(delivered: bytes, certificate: bytes, what: str) -> bool:
    """Compares the two PEM certificates' public keys. Raises DeliveryFailed when `delivered` is no certificate."""
    try:
        before = _public_key(delivered)
    except ValueError:
        raise DeliveryFailed(
            f"{what} is not a certificate: somebody has written over it",
            hint="move the folder away, and run the same command again",
        ) from None
    return before == _public_key(certificate)


def other_keys_place(certificate: bytes) -> str:
    """Where, below a client's own place, a certificate for another than its newest key goes: one place a key."""
    return f"other-keys/{sha256(_public_key(certificate)).hexdigest()[:16]}"


def _public_key(pem: bytes) -> bytes:
    return subject_and_key(first_der(pem))[1]
