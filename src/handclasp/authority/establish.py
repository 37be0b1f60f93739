"""Establish the authority: an offline root, and the intermediate it signs.

The root's key is needed here and for intermediates, nowhere else. The order makes a crash harmless: keys first,
under names nobody uses yet, then both issuers in one transaction. Before the commit there is no authority and
the command starts over; after it there is one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from handclasp.authority.recording import details, epoch, issuer_record
from handclasp.custody.port import Custody
from handclasp.errors import AlreadyEstablished
from handclasp.pki.extensions import NO_URLS, IssuerUrls
from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, self_signed
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, generate
from handclasp.pki.naming import issuer_id
from handclasp.pki.path import verify_path
from handclasp.pki.profile import INTERMEDIATE, ROOT
from handclasp.pki.request import for_key
from handclasp.registry.port import Registry
from handclasp.registry.records import Issuer, IssuerKind


@dataclass(frozen=True, slots=True)
class HierarchyPlan:
    """What `init` was asked for. The texts have passed `identity.subject_text`."""

    root_name: str = "Handclasp Root CA"
    intermediate_name: str = "Handclasp Issuing CA 1"
    organization: str | None = None
    root_algorithm: KeyAlgorithm = KeyAlgorithm.P256
    intermediate_algorithm: KeyAlgorithm = KeyAlgorithm.P256
    root_days: int = ROOT.days
    intermediate_days: int = INTERMEDIATE.days


@dataclass(frozen=True, slots=True)
class IssuerMaterial:
    """A CA certificate and, if it is ours to keep, its key."""

    certificate: x509.Certificate
    key: PrivateKey | None


@dataclass(frozen=True, slots=True)
class Hierarchy:
    root: Issuer
    intermediate: Issuer


def make_root(plan: HierarchyPlan, now: datetime) -> IssuerMaterial:
    key = generate(plan.root_algorithm)
    lifetime = ROOT.lasting(plan.root_days)
    name = subject(plan.root_name, plan.organization)
    return IssuerMaterial(self_signed(key, subject=name, now=now, lifetime=lifetime), key)


def make_intermediate(
    plan: HierarchyPlan, root: x509.Certificate, root_key: PrivateKey, now: datetime, urls: IssuerUrls = NO_URLS
) -> IssuerMaterial:
    """A new key whose request the root signs, pathLen 0. Raises PathInvalid if the root is not valid now."""
    key = generate(plan.intermediate_algorithm)
    authority = IssuingAuthority(root, root_key, urls)
    lifetime: timedelta = INTERMEDIATE.lasting(plan.intermediate_days)
    name = subject(plan.intermediate_name, plan.organization)
    prepared = prepare(for_key(key), INTERMEDIATE, authority, subject=name, now=now, lifetime=lifetime)
    return IssuerMaterial(issue(prepared, authority), key)


def establish(
    root: IssuerMaterial,
    intermediate: IssuerMaterial,
    *,
    registry: Registry,
    custody: Custody,
    passphrase: bytes,
    actor: str,
    now: datetime,
) -> Hierarchy:
    """Keep the keys and register both issuers. Raises AlreadyEstablished, PathInvalid, KeyUnavailable."""
    if registry.issuers():
        raise _taken()
    verify_path(intermediate.certificate, [], [root.certificate], now=now, as_ca=True)
    root_record = issuer_record(
        root.certificate, kind=IssuerKind.ROOT, key_name=key_name("root", root), parent_id=None, now=now
    )
    intermediate_record = issuer_record(
        intermediate.certificate,
        kind=IssuerKind.INTERMEDIATE,
        key_name=key_name("intermediate", intermediate),
        parent_id=root_record.issuer_id,
        now=now,
    )
    keep_key("root", root, custody, passphrase)
    keep_key("intermediate", intermediate, custody)
    with registry.change() as change:
        if change.issuers():
            raise _taken()
        for record in (root_record, intermediate_record):
            change.add_issuer(record)
            change.record(
                at=epoch(now),
                actor=actor,
                action=f"{record.kind}.establish",
                subject=record.issuer_id,
                details=details(subject=record.subject, fingerprint=record.fingerprint, not_after=record.not_after),
            )
    return Hierarchy(root_record, intermediate_record)


def keep_key(kind: str, material: IssuerMaterial, custody: Custody, passphrase: bytes | None = None) -> str | None:
    """The key's name in custody, once it is durable there. None if it is not ours to keep."""
    name = key_name(kind, material)
    if name is not None and material.key is not None:
        custody.keep(name, material.key, passphrase)
    return name


def key_name(kind: str, material: IssuerMaterial) -> str | None:
    """Names carry the issuer's id, so that a run that was killed leaves nothing in the next one's way."""
    return None if material.key is None else f"{kind}-{issuer_id(material.certificate)[:12]}"


def _taken() -> AlreadyEstablished:
    return AlreadyEstablished(
        "there is an authority here already", hint="handclasp ca list shows it; use another --state for a new one"
    )
