"""A new issuer beside the old: an intermediate signed by the root, or a whole new hierarchy with a cross certificate.

It is registered as `pending`: trusted, so that gateways can be shown to let its certificates in, and not issuing yet.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from handclasp.authority.establish import IssuerMaterial, keep_key
from handclasp.authority.issuers import certificate_of
from handclasp.authority.recording import epoch, issuer_record
from handclasp.custody.port import Custody
from handclasp.errors import InvalidInput, KeyUnavailable, NotEstablished, TruststoreRejected
from handclasp.pki.extensions import NO_URLS, IssuerUrls
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, self_signed
from handclasp.pki.keys import PrivateKey, algorithm_of, generate
from handclasp.pki.path import verify_path
from handclasp.pki.pem import certificate_pem
from handclasp.pki.profile import INTERMEDIATE, ROOT
from handclasp.pki.request import for_key
from handclasp.registry.port import Reader
from handclasp.registry.records import Issuer, IssuerKind, IssuerStatus
from handclasp.truststore.rules import check_bundle

_MAX_COMMON_NAME = 64
_NUMBERED = re.compile(r"(.*?)([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class NewIssuers:
    """What was made, in the order it is registered, and which issuers it is to take the place of."""

    made: tuple[Issuer, ...]
    replaced: tuple[Issuer, ...]


def replaced_intermediates(registry: Reader) -> tuple[Issuer, ...]:
    """Every intermediate that issues or could. Raises NotEstablished.

    One that is pending was made by an operation that was abandoned and killed before it could withdraw that.
    """
    found = tuple(_not_retired(registry, IssuerKind.INTERMEDIATE))
    if not any(i.status is IssuerStatus.ACTIVE for i in found):
        raise NotEstablished("there is no active intermediate to rotate", hint="handclasp ca list shows the issuers")
    return found


def active_root(registry: Reader) -> Issuer:
    """The newest root that is active. Raises NotEstablished, KeyUnavailable when its key is not here."""
    roots = [i for i in registry.issuers() if i.kind is IssuerKind.ROOT and i.status is IssuerStatus.ACTIVE]
    if not roots:
        raise NotEstablished("there is no active root", hint="run: handclasp init")
    if roots[-1].key_name is None:
        raise KeyUnavailable(
            f"the key of root {roots[-1].subject} is not in custody, and only it can sign a new intermediate",
            hint="establish the root with its key: handclasp init --import-root-key",
        )
    return roots[-1]


def new_intermediate(
    registry: Reader,
    custody: Custody,
    passphrase: Callable[[], bytes],
    urls: IssuerUrls,
    *,
    days: int | None,
    now: datetime,
) -> NewIssuers:
    """An intermediate of the same root, with a new key of the same kind. Raises KeyUnavailable, PathInvalid."""
    replaced = replaced_intermediates(registry)
    root = active_root(registry)
    key = custody.signer(root.key_name or "", passphrase())
    signer = IssuingAuthority(certificate_of(root), key, urls)
    material = _intermediate(certificate_of(replaced[-1]), signer, _taken(registry), days, now)
    made = _registered(material, IssuerKind.INTERMEDIATE, root.issuer_id, custody, None, now)
    _check(registry, (made,), now)
    return NewIssuers(_newest(registry, made), replaced)


def new_hierarchy(
    registry: Reader,
    custody: Custody,
    passphrase: Callable[[], bytes],
    urls: IssuerUrls,
    *,
    days: int | None,
    now: datetime,
) -> NewIssuers:
    """A new root, cross-signed by the old one, and its intermediate. The passphrase opens the old and seals the new."""
    old_root, replaced = active_root(registry), replaced_intermediates(registry)
    secret = passphrase()
    old_key = custody.signer(old_root.key_name or "", secret)
    old = certificate_of(old_root)
    key = generate(algorithm_of(old.public_key()))
    name = _following(old.subject, _taken(registry))
    lifetime = ROOT.lasting(days or (old.not_valid_after_utc - old.not_valid_before_utc).days + 1)
    certificate = self_signed(key, subject=name, now=now, lifetime=lifetime)
    cross = _cross_certificate(certificate, key, IssuingAuthority(old, old_key, NO_URLS), now)
    root = _registered(IssuerMaterial(certificate, key), IssuerKind.ROOT, None, custody, secret, now, cross)
    signer = IssuingAuthority(certificate, key, urls)
    material = _intermediate(certificate_of(replaced[-1]), signer, _taken(registry), None, now)
    intermediate = _registered(material, IssuerKind.INTERMEDIATE, root.issuer_id, custody, None, now)
    _check(registry, (root, intermediate), now)
    roots = tuple(_not_retired(registry, IssuerKind.ROOT))
    return NewIssuers(_newest(registry, root, intermediate), (*roots, *replaced))


def _intermediate(
    before: x509.Certificate, root: IssuingAuthority, taken: set[str], days: int | None, now: datetime
) -> IssuerMaterial:
    key = generate(algorithm_of(before.public_key()))
    prepared = prepare(
        for_key(key),
        INTERMEDIATE,
        root,
        subject=_following(before.subject, taken),
        now=now,
        lifetime=INTERMEDIATE.lasting(days),
    )
    certificate = issue(prepared, root)
    verify_path(certificate, [], [root.certificate], now=now, as_ca=True)
    return IssuerMaterial(certificate, key)


def _cross_certificate(
    root: x509.Certificate, key: PrivateKey, old: IssuingAuthority, now: datetime
) -> x509.Certificate:
    """The new root's name and key, signed by the old root: not longer valid than that one, and no policies."""
    profile = ROOT
    lifetime = root.not_valid_after_utc - now
    return issue(prepare(for_key(key), profile, old, subject=root.subject, now=now, lifetime=lifetime), old)


def _registered(
    material: IssuerMaterial,
    kind: IssuerKind,
    parent_id: str | None,
    custody: Custody,
    passphrase: bytes | None,
    now: datetime,
    cross: x509.Certificate | None = None,
) -> Issuer:
    """The key goes into custody first, under a name nobody uses: a crash before the row leaves nothing in the way."""
    return issuer_record(
        material.certificate,
        kind=kind,
        key_name=keep_key(kind.value, material, custody, passphrase),
        parent_id=parent_id,
        now=now,
        status=IssuerStatus.PENDING,
        cross_certificate=cross,
    )


def _not_retired(registry: Reader, kind: IssuerKind) -> Iterator[Issuer]:
    return (i for i in registry.issuers() if i.kind is kind and i.status is not IssuerStatus.RETIRED)


def _newest(registry: Reader, *made: Issuer) -> tuple[Issuer, ...]:
    """The newest issuer signs: these are to be it, though this clock be behind the one that made those before."""
    latest = max(each.created_at for each in registry.issuers())
    return tuple(replace(each, created_at=max(each.created_at, latest)) for each in made)


def _check(registry: Reader, made: tuple[Issuer, ...], now: datetime) -> None:
    """Raises TruststoreRejected when gateways could not take the new issuers beside the old ones."""
    trusted = [i for i in registry.issuers() if i.status is not IssuerStatus.RETIRED and epoch(now) <= i.not_after]
    bundle = certificate_pem(*(certificate_of(each) for each in (*trusted, *made)))
    if errors := [finding.message for finding in check_bundle(bundle, now) if finding.severity == "error"]:
        raise TruststoreRejected("with the new issuer the trust store would break a rule: " + "; ".join(errors))


def _taken(registry: Reader) -> set[str]:
    return {issuer.subject for issuer in registry.issuers()}


def _following(before: x509.Name, taken: set[str]) -> x509.Name:
    """The same name with the next number behind the common name: Issuing CA 1, Issuing CA 2."""
    common_name = next((str(a.value) for a in before.get_attributes_for_oid(NameOID.COMMON_NAME)), "Issuing CA")
    found = _NUMBERED.fullmatch(common_name)
    stem, number = (found[1], int(found[2])) if found else (f"{common_name} ", 1)
    for following in range(number + 1, number + 10_000):
        name = x509.Name(
            x509.NameAttribute(NameOID.COMMON_NAME, _short(stem, str(following)))
            if attribute.oid == NameOID.COMMON_NAME
            else attribute
            for attribute in before
        )
        if name.rfc4514_string() not in taken:
            return name
    raise InvalidInput(f"no name is left after {common_name}")


def _short(stem: str, number: str) -> str:
    """At most 64 characters (RFC 5280, ub-common-name), the number whole and apart."""
    room = _MAX_COMMON_NAME - len(number)
    return stem + number if len(stem) <= room else f"{stem[: room - 1]} {number}"
