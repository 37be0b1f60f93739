"""The endpoint under acceptance, and the TLS context of one attempt at it.

Every context verifies the server against the given trust anchors, the rogue probes' contexts too: in TLS a client
judges the server before it proves that it holds its own key, so the real credential is never shown to a stranger.
"""

import ssl
import warnings
from dataclasses import dataclass

from cryptography import x509

from handclasp.pki.pem import certificate_pem
from handclasp.verify.credential import ANY_STRENGTH, Credential
from handclasp.verify.target import Target


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to knock, with which valid credential, which anchors verify the server, and the way around it.

    `timeout` bounds each wait on the network, in seconds.
    """

    target: Target
    credential: Credential
    anchors: tuple[x509.Certificate, ...]
    bypass: Target | None = None
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client offers in its ClientHello: one TLS version or all the library has, and protocols (ALPN)."""

    version: ssl.TLSVersion | None = None
    protocols: tuple[str, ...] = ()


ANY = Offer()
_OBSOLETE = frozenset({ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1})


def client_context(endpoint: Endpoint, credential: Credential | None, offer: Offer = ANY) -> ssl.SSLContext:
    """A context that verifies the server and presents `credential`. Raises ssl.SSLError if it cannot be loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate_pem(*endpoint.anchors).decode("ascii"))
    # Some servers ask for the certificate only once they know the path (Apache, IIS).
    context.post_handshake_auth = True
    if offer.version is not None:
        _only(context, offer.version)
    if offer.protocols:
        context.set_alpn_protocols(list(offer.protocols))
    if credential is not None:
        credential.load_into(context)
    return context


def _only(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    if version in _OBSOLETE:
        # TLS 1.0 and 1.1 sign with MD5 and SHA-1, which OpenSSL 3 offers at security level 0 only.
        context.set_ciphers(ANY_STRENGTH)
    with warnings.catch_warnings():
        # Python calls the old versions deprecated; that a server refuses them is what is to be shown.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
        context.maximum_version = version
