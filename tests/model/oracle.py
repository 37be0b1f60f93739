"""Who may pass, worked out a second time: from the certificates themselves, and not by our own path validation."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from handclasp.registry.records import Issuer, IssuerStatus, Standing


@cache
def loaded(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


@cache
def is_signed_by(child: bytes, parent: bytes) -> bool:
    """By name and by signature."""
    try:
        loaded(child).verify_directly_issued_by(loaded(parent))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_valid_at(der: bytes, now: int) -> bool:
    moment = datetime.fromtimestamp(now, UTC)
    return loaded(der).not_valid_before_utc <= moment <= loaded(der).not_valid_after_utc


def chain_of(der: bytes, bundle: Iterable[bytes]) -> list[bytes] | None:
    """From the certificate's issuer to a root among these, whatever the time; None when there is no way."""
    members, found, at = list(bundle), list[bytes](), der
    while True:
        parent = next((each for each in members if is_signed_by(at, each)), None)
        if parent is None or parent in found:
            return None
        found.append(parent)
        if is_signed_by(parent, parent):
            return found
        at = parent


def has_path(der: bytes, bundle: Iterable[bytes], issuers: Iterable[Issuer], now: int) -> bool:
    """Each certificate above it is published, not retired, and valid now; the last is a root."""
    retired = {issuer.der for issuer in issuers if issuer.status is IssuerStatus.RETIRED}
    above = chain_of(der, (each for each in bundle if each not in retired))
    return above is not None and all(is_valid_at(each, now) for each in above)


def may_pass(standing: Standing, environments: set[str], path: bool, now: int) -> bool:
    """The invariant of the design, said plainly."""
    return (
        path
        and is_valid_at(standing.certificate.der, now)
        and standing.certificate.status.value == "active"
        and standing.client.status.value == "active"
        and standing.client.environment in environments
    )
