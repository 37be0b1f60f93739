"""Publish the trust store: every issuer that is not retired, intermediates included, checked before anybody reads it.

Intermediates are published because clients that send their chain against a root-only store were refused by API
Gateway; and trust is added before it is used, so this comes before the first certificate of a new intermediate.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509

from handclasp.authority.recording import details, epoch
from handclasp.errors import NotEstablished, TruststoreRejected
from handclasp.pki.naming import issuer_id
from handclasp.pki.pem import certificate_pem, load_certificates
from handclasp.registry.port import Reader, Registry
from handclasp.registry.records import IssuerKind, IssuerStatus
from handclasp.truststore.port import Truststore
from handclasp.truststore.rules import Finding, check_bundle


@dataclass(frozen=True, slots=True)
class Publication:
    """`changed` is false when the published bundle was this one already."""

    location: str
    certificates: int
    changed: bool
    findings: tuple[Finding, ...]


def trust_bundle(registry: Reader, now: datetime | None = None) -> bytes:
    """Roots first, then intermediates; those that issue and those about to. Raises NotEstablished.

    With `now`, without those that are over by then and by the registry's clock too, unless all are: one that nobody
    may be let in by any more must not stand in the way of the issuer that is to take its place.
    """
    active = [i for i in registry.issuers() if i.status is not IssuerStatus.RETIRED]
    if not active:
        raise NotEstablished("there is no authority here yet", hint="run: handclasp init")
    if now is not None:
        over_before = min(epoch(now), registry.now())
        active = [i for i in active if over_before <= i.not_after] or active
    active.sort(key=lambda issuer: (issuer.kind is not IssuerKind.ROOT, issuer.created_at))
    return certificate_pem(*(x509.load_der_x509_certificate(issuer.der) for issuer in active))


def untrusted_by_publishing(registry: Reader, truststore: Truststore) -> set[str]:
    """The ids of issuers that are in the published trust store and would not be any more."""
    published = truststore.read()
    if published is None:
        return set()
    before = {issuer_id(c) for c in load_certificates(published, "the trust store")}
    return before - {issuer_id(c) for c in load_certificates(trust_bundle(registry), "the trust store")}


def publish(*, registry: Registry, truststore: Truststore, actor: str, now: datetime) -> Publication:
    """Raises TruststoreRejected, and publishes nothing, if the bundle breaks a rule gateways depend on."""
    bundle = trust_bundle(registry, now)
    findings = check_bundle(bundle, now)
    if errors := [f.message for f in findings if f.severity == "error"]:
        raise TruststoreRejected(
            "the trust store would break a rule: " + "; ".join(errors), hint="handclasp ca list shows the issuers"
        )
    published = truststore.read()
    changed = published != bundle
    if changed:
        # Recorded first: a crash in between leaves an entry that the next run repeats, never a change without one.
        with registry.change() as change:
            change.record(
                at=epoch(now),
                actor=actor,
                action="truststore.publish",
                subject=truststore.location(),
                details=details(
                    certificates=bundle.count(b"BEGIN CERTIFICATE"),
                    before=published and sha256(published).hexdigest(),
                    after=sha256(bundle).hexdigest(),
                ),
            )
        truststore.publish(bundle)
    return Publication(truststore.location(), bundle.count(b"BEGIN CERTIFICATE"), changed, tuple(findings))
