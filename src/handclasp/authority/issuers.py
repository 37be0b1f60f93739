"""The issuers a registry knows: which one signs now, the certification path above a certificate, the trust anchors."""

from dataclasses import dataclass

from cryptography import x509

from handclasp.custody.port import Custody
from handclasp.errors import NotEstablished, NotRegistered, RegistryDamaged
from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.issuance import IssuingAuthority
from handclasp.registry.port import Reader
from handclasp.registry.records import Issuer, IssuerKind, IssuerStatus


@dataclass(frozen=True, slots=True)
class Signing:
    """An issuer that signs end entities: its record, its key ready to sign, and the path above them to the root.

    `sent` is what goes with an end entity's certificate, `anchors` what verifies the other side (see below).
    """

    record: Issuer
    authority: IssuingAuthority
    path: tuple[x509.Certificate, ...]
    sent: tuple[x509.Certificate, ...]
    anchors: tuple[x509.Certificate, ...]

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What a TLS peer is sent after the end entity: `sent` without a root, which it has or does not trust."""
        return tuple(c for c in self.sent if c.issuer != c.subject)


def signing_issuer(registry: Reader, custody: Custody, urls: IssuerUrls) -> Signing:
    """The newest active intermediate whose key is in custody. Raises NotEstablished, KeyUnavailable."""
    records = registry.issuers()
    for record in reversed(records):
        if record.kind is IssuerKind.INTERMEDIATE and record.status is IssuerStatus.ACTIVE and record.key_name:
            return _signing(record, records, custody, urls)
    if not records:
        raise NotEstablished("there is no authority here yet", hint="run: handclasp init")
    raise NotEstablished("no active intermediate with its key in custody", hint="handclasp ca list shows the issuers")


def signing_by(issuer_id: str, registry: Reader, custody: Custody, urls: IssuerUrls) -> Signing:
    """This issuer, whatever its status: for canaries. Raises NotRegistered, KeyUnavailable."""
    records = registry.issuers()
    for record in records:
        if record.issuer_id == issuer_id and record.key_name:
            return _signing(record, records, custody, urls)
    raise NotRegistered(f"no issuer {issuer_id} with its key in custody", hint="handclasp ca list shows the issuers")


def _signing(record: Issuer, records: list[Issuer], custody: Custody, urls: IssuerUrls) -> Signing:
    authority = IssuingAuthority(certificate_of(record), custody.signer(record.key_name or ""), urls)
    path = issuer_path(records, record.issuer_id)
    return Signing(record, authority, path, sent_path(records, record.issuer_id), trust_anchors(records, path[-1]))


def issuer_path(records: list[Issuer], issuer_id: str) -> tuple[x509.Certificate, ...]:
    """The issuer's certificate, then its issuer's, up to the root. Raises RegistryDamaged for a missing link."""
    return tuple(certificate_of(record) for record in _ancestry(records, issuer_id))


def sent_path(records: list[Issuer], issuer_id: str) -> tuple[x509.Certificate, ...]:
    """The path as it is handed out beside an end entity.

    While the root before this one is still trusted, the cross certificate stands in the new root's place: who pins
    the old root reaches it by that, and who trusts the new one stops below it.
    """
    ancestry = _ancestry(records, issuer_id)
    path = [certificate_of(record) for record in ancestry]
    root = ancestry[-1]
    if root.cross_certificate is not None:
        cross = x509.load_der_x509_certificate(root.cross_certificate)
        if any(cross.issuer == anchor.subject for anchor in trust_anchors(records, path[-1])):
            path[-1] = cross
    return tuple(path)


def trust_anchors(records: list[Issuer], first: x509.Certificate) -> tuple[x509.Certificate, ...]:
    """Every root that is not retired, `first` first: some programs read one certificate of a file only."""
    roots = [r for r in records if r.kind is IssuerKind.ROOT and r.status is not IssuerStatus.RETIRED]
    others = [c for c in map(certificate_of, reversed(roots)) if c != first]
    return (first, *others)


def certificate_of(record: Issuer) -> x509.Certificate:
    return x509.load_der_x509_certificate(record.der)


def _ancestry(records: list[Issuer], issuer_id: str) -> list[Issuer]:
    by_id = {record.issuer_id: record for record in records}
    found: list[Issuer] = []
    following: str | None = issuer_id
    while following is not None:
        if following not in by_id or len(found) > len(by_id):
            raise RegistryDamaged(f"the registry has no path from issuer {issuer_id} to a root")
        found.append(by_id[following])
        following = by_id[following].parent_id
    return found
