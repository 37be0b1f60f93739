"""Whether a certificate is for the key that was delivered last, and where it goes when it is not."""

from hashlib import sha256

from handclasp.errors import DeliveryFailed
from handclasp.pki.pem import first_der

#: Lines of PEM up to the end of an elliptic curve's public key.
_USUALLY = 8


def is_for_same_key(delivered: bytes, public_key: bytes, what: str) -> bool:
    """`delivered` is a certificate's PEM, `public_key` a SubjectPublicKeyInfo.

    That stands in a certificate as it is (RFC 5280 4.1), and nothing else of ours holds those octets. Raises
    DeliveryFailed when `delivered` is no certificate.
    """
    try:
        # Mostly it stands in the first lines: reading on costs more than all else here.
        return public_key in first_der(delivered, lines=_USUALLY) or public_key in first_der(delivered)
    except ValueError:
        raise DeliveryFailed(
            f"{what} is not a certificate: somebody has written over it",
            hint="move the folder away, and run the same command again",
        ) from None


def other_keys_place(public_key: bytes) -> str:
    """Where, below a client's own place, a certificate for another than its newest key goes: one place a key."""
    return f"other-keys/{sha256(public_key).hexdigest()[:16]}"
