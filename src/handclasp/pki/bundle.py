"""Certificates put together for somebody: the full chain, the trust anchors, PKCS#12."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from handclasp.pki.keys import PrivateKey, encryption_with
from handclasp.pki.pem import certificate_pem


def full_chain(path: Sequence[x509.Certificate]) -> bytes:
    """PEM: the end entity, then each issuer (RFC 8446 4.4.2), root included as partners expect to receive it."""
    return certificate_pem(*path)


def pkcs12_file(name: str, key: PrivateKey, path: Sequence[x509.Certificate], passphrase: bytes) -> bytes:
    """PKCS#12 (RFC 7292) with the key, its certificate and the issuers, encrypted as strongly as the library can.

    Raises InvalidInput for a passphrase that cannot be used.
    """
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, path[0], list(path[1:]), encryption_with(passphrase)
    )
