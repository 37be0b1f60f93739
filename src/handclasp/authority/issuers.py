"""The issuers a registry knows: which one signs now, and the certification path above a certificate."""

from dataclasses import dataclass

from cryptography import x509

from handclasp.custody.port import Custody
from handclasp.errors import NotEstablished, RegistryDamaged
from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.issuance import IssuingAuthority
from handclasp.registry.port import Reader
from handclasp.registry.records import Issuer, IssuerKind, IssuerStatus


@dataclass(frozen=True, slots=True)
class Signing:
    """The issuer that signs end entities now: its record, its key ready to sign, and the path above them."""

    record: Issuer
    authority: IssuingAuthority
    path: tuple[x509.Certificate, ...]


def signing_issuer(registry: Reader, custody: Custody, urls: IssuerUrls) -> Signing:
    """The newest active intermediate whose key is in custody. Raises NotEstablished, KeyUnavailable."""
    records = registry.issuers()
    for record in reversed(records):
        if record.kind is IssuerKind.INTERMEDIATE and record.status is IssuerStatus.ACTIVE and record.key_name:
            certificate = x509.load_der_x509_certificate(record.der)
            authority = IssuingAuthority(certificate, custody.signer(record.key_name), urls)
            return Signing(record, authority, issuer_path(records, record.issuer_id))
    if not records:
        raise NotEstablished("there is no authority here yet", hint="run: handclasp init")
    raise NotEstablished("no active intermediate with its key in custody", hint="handclasp ca list shows the issuers")


def issuer_path(records: list[Issuer], issuer_id: str) -> tuple[x509.Certificate, ...]:
    """The issuer's certificate, then its issuer's, up to the root. Raises RegistryDamaged for a missing link."""
    by_id = {record.issuer_id: record for record in records}
    path: list[x509.Certificate] = []
    following: str | None = issuer_id
    while following is not None:
        if following not in by_id or len(path) > len(by_id):
            raise RegistryDamaged(f"the registry has no path from issuer {issuer_id} to a root")
        path.append(x509.load_der_x509_certificate(by_id[following].der))
        following = by_id[following].parent_id
    return tuple(path)
