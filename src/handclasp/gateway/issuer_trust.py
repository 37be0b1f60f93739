"""From when until when each issuer is trusted: the path check of every end entity, done once per issuer.

An end entity's own signature was verified when it was issued or adopted, and its fingerprint is compared on every
request; what can change afterwards is its issuer: taken out of the trust store, or over its time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from handclasp.errors import PathInvalid
from handclasp.pki.naming import issuer_id
from handclasp.pki.path import verify_path
from handclasp.registry.records import Issuer, IssuerStatus


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since 1970, both ends included."""

    not_before: int
    not_after: int

    def holds(self, now: int) -> bool:
        return self.not_before <= now <= self.not_after


def issuer_trust(issuers: Iterable[Issuer], bundle: list[x509.Certificate], now: datetime) -> dict[str, Window]:
    """For each issuer that is not retired and has a path to a root in the published bundle: when that path is valid.

    An issuer that has no valid path at `now` is left out: nothing of it passes.
    """
    roots = [c for c in bundle if c.subject == c.issuer]
    published = {issuer_id(c) for c in bundle}
    trusted = {}
    for issuer in issuers:
        if issuer.status is IssuerStatus.RETIRED or issuer.issuer_id not in published:
            continue
        certificate = x509.load_der_x509_certificate(issuer.der)
        try:
            path = verify_path(certificate, bundle, roots, now=now, as_ca=True)
        except PathInvalid:
            continue
        trusted[issuer.issuer_id] = Window(
            max(int(c.not_valid_before_utc.timestamp()) for c in path.certificates),
            min(int(c.not_valid_after_utc.timestamp()) for c in path.certificates),
        )
    return trusted
