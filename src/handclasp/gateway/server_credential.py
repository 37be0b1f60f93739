"""The gateway's server certificate on disk: one PEM file, key and chain together, so that it is always a pair."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from handclasp.atomic_file import check_private, make_private_folder, write_atomically
from handclasp.authority.issuers import signing_issuer
from handclasp.authority.practice import Practice
from handclasp.authority.server_certificate import general_name, issue_server_certificate
from handclasp.custody.port import Custody
from handclasp.errors import HandclaspError
from handclasp.pki.keys import PrivateKeyPem, open_sealed, seal, spki
from handclasp.pki.naming import issuer_id
from handclasp.pki.path import SERVER_AUTH, verify_path
from handclasp.pki.pem import certificate_pem, load_certificates
from handclasp.registry.port import Registry

#: A certificate is renewed when this share of its life is over.
RENEW_AT = 2 / 3


@dataclass(frozen=True, slots=True)
class ServerPem:
    """What Envoy is given: the server's certificate first, no root; a client has it, or has no reason to trust it."""

    chain: bytes
    key: PrivateKeyPem = field(repr=False)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return tuple(load_certificates(self.chain))

    @property
    def issuer_id(self) -> str:
        """The issuer of the server's certificate; "" for a chain of one, which is none of ours."""
        return next((issuer_id(c) for c in self.certificates[1:2]), "")


def server_credential(
    path: Path,
    names: tuple[str, ...],
    *,
    registry: Registry,
    custody: Custody,
    practice: Practice,
    anchors: list[x509.Certificate],
    actor: str,
    now: datetime,
) -> ServerPem:
    """The credential in `path` if it still serves, else a new one, registered and kept there.

    It serves as long as it is of the issuer that signs now, so that whoever trusts a client's certificate of today
    trusts the gateway. With another cross certificate above that issuer only the chain is another.
    """
    kept = _kept(path, names, anchors, now)
    if kept is not None:
        certificates = kept.certificates
        signing = signing_issuer(registry, custody, practice.urls)
        if kept.issuer_id == signing.record.issuer_id:
            if certificates[1:] == signing.chain:
                return kept
            return _keep(path, ServerPem(certificate_pem(certificates[0], *signing.chain), kept.key))
    issued = issue_server_certificate(
        names, registry=registry, custody=custody, practice=practice, actor=actor, now=now
    )
    return _keep(path, ServerPem(certificate_pem(*issued.chain), seal(issued.key)))


def _keep(path: Path, pem: ServerPem) -> ServerPem:
    make_private_folder(path.parent)
    write_atomically(path, bytes(pem.key) + pem.chain)
    return pem


def _kept(path: Path, names: tuple[str, ...], anchors: list[x509.Certificate], now: datetime) -> ServerPem | None:
    """None if it is missing, damaged, for other names, from an issuer no longer trusted, or due for renewal."""
    try:
        check_private(path)
        content = path.read_bytes()
        key = open_sealed(content[: content.index(b"-----BEGIN CERTIFICATE")])
        certificates = load_certificates(content)
        verify_path(certificates[0], certificates[1:], anchors, now=now, usage=SERVER_AUTH)
        found = certificates[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, HandclaspError, x509.ExtensionNotFound):
        return None
    certificate = certificates[0]
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    due = now >= certificate.not_valid_before_utc + life * RENEW_AT
    wrong_names = set(found) != {general_name(name) for name in names}
    if due or wrong_names or spki(key.public_key()) != spki(certificate.public_key()):
        return None
    return ServerPem(certificate_pem(*certificates), seal(key))
