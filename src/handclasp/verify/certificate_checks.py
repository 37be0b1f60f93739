"""What can be wrong with any certificate by itself, the client's or the server's: its dates and its strength.

A certificate has not expired because this machine thinks so: both clocks are asked when the server's is known.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from handclasp.pki.keys import MIN_RSA_BITS, describe, public_key_faults
from handclasp.pki.path import signature_hash_of
from handclasp.verify.finding import Code, Finding, Severity, duration_text, name_text

#: The HTTP Date header counts whole seconds and answers take some; a minute off harms no handshake.
CLOCK_TOLERANCE = timedelta(seconds=60)
#: Our clients renew at two thirds of a certificate's life: one in its last tenth has missed that for long.
_LAST_PART = 10

_FIX_CLOCK = (
    "set this machine's clock: timedatectl set-ntp true (Linux), w32tm /resync (Windows), "
    "restart the container host or VM after suspend"
)
_RENEW = {
    "client": "renew it: handclasp client renew NAME, or ask whoever issued it for a new one",
    "server": "the server's operator must renew it",
}


@dataclass(frozen=True, slots=True)
class Side:
    """Whose certificate it is, and so what the same fault is called."""

    owner: str
    expired: Code
    not_yet_valid: Code
    weak_key: Code
    weak_signature: Code


CLIENT = Side("client", Code.EXPIRED, Code.NOT_YET_VALID, Code.WEAK_KEY, Code.WEAK_SIGNATURE)
SERVER = Side(
    "server",
    Code.SERVER_EXPIRED,
    Code.SERVER_NOT_YET_VALID,
    Code.SERVER_WEAK_KEY,
    Code.SERVER_WEAK_SIGNATURE,
)


@dataclass(frozen=True, slots=True)
class Clocks:
    """This machine's time, and how far the server's is ahead of it (negative: behind); None if it never said."""

    here: datetime
    ahead: timedelta | None = None

    @property
    def there(self) -> datetime | None:
        return None if self.ahead is None else self.here + self.ahead

    @property
    def differ(self) -> bool:
        return self.ahead is not None and abs(self.ahead) > CLOCK_TOLERANCE


class _State(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET = "not valid yet"


def clock(clocks: Clocks) -> list[Finding]:
    """How this machine's clock compares with the server's Date header."""
    if clocks.ahead is None:
        return []
    if not clocks.differ:
        return [Finding(Code.CLOCK_RIGHT, "ok", "this machine's clock agrees with the server's")]
    direction = "behind" if clocks.ahead > timedelta(0) else "ahead of"
    message = f"this machine's clock is {duration_text(clocks.ahead)} {direction} the server's"
    return [Finding(Code.CLOCK_WRONG, "warning", message, _FIX_CLOCK)]


def validity(certificate: x509.Certificate, side: Side, clocks: Clocks) -> list[Finding]:
    """Expired or not yet valid, and whether that is the certificate's fault or a clock's."""
    here = _state(certificate, clocks.here)
    there = here if clocks.there is None else _state(certificate, clocks.there)
    if here is _State.VALID and there is _State.VALID:
        return _expires_soon(certificate, side, clocks.here)
    blamed = there if here is _State.VALID else here
    code = side.expired if blamed is _State.EXPIRED else side.not_yet_valid
    what = f"the {side.owner}'s certificate chain: {name_text(certificate.subject)}"
    dates = _dates(certificate, blamed, clocks.here if here is blamed else clocks.there or clocks.here)
    if here is not there:
        ahead = duration_text(clocks.ahead or timedelta(0))
        whose = "this machine's clock" if blamed is here else "the server's clock"
        message = f"{what} {dates} by {whose} only: the two clocks differ by {ahead}"
        return [Finding(code, "problem", f"{message}, so the clock is the likelier fault", _FIX_CLOCK)]
    sure = "the server's clock agrees" if clocks.there else "if this machine's clock is right"
    return [Finding(code, "problem", f"{what} {dates} ({sure})", _RENEW[side.owner])]


def strength(certificate: x509.Certificate, side: Side, *, is_anchor: bool = False) -> list[Finding]:
    """Keys and signatures that TLS libraries refuse. A trust anchor's own signature protects nothing."""
    found = []
    key = certificate.public_key()
    name = f"the {side.owner}'s certificate chain: {name_text(certificate.subject)}"
    if faults := public_key_faults(key):
        too_short = isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS
        severity: Severity = "problem" if too_short else "warning"
        why = "; OpenSSL's default security level refuses it" if too_short else ""
        message = f"{name} has a weak or unusual key, {describe(key)}: {'; '.join(faults)}{why}"
        fix = "make a new key (P-256 or RSA-2048 and up) and have it certified; do not lower @SECLEVEL"
        found.append(Finding(side.weak_key, severity, message, fix))
    used = signature_hash_of(certificate)
    if not is_anchor and isinstance(used, hashes.MD5 | hashes.SHA1):
        message = (
            f"{name} is signed with {used.name.upper()}, which is broken; OpenSSL's default security level refuses it"
        )
        fix = "have it issued again with SHA-256; do not lower @SECLEVEL"
        found.append(Finding(side.weak_signature, "problem", message, fix))
    return found


def _state(certificate: x509.Certificate, now: datetime) -> _State:
    if now > certificate.not_valid_after_utc:
        return _State.EXPIRED
    return _State.NOT_YET if now < certificate.not_valid_before_utc else _State.VALID


def _dates(certificate: x509.Certificate, state: _State, now: datetime) -> str:
    if state is _State.EXPIRED:
        end = certificate.not_valid_after_utc
        return f"expired on {end:%Y-%m-%d %H:%M:%S} UTC, {duration_text(now - end)} ago"
    begin = certificate.not_valid_before_utc
    return f"is not valid before {begin:%Y-%m-%d %H:%M:%S} UTC, {duration_text(begin - now)} from now"


def _expires_soon(certificate: x509.Certificate, side: Side, now: datetime) -> list[Finding]:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if end - now > (end - begin) / _LAST_PART:
        return []
    message = (
        f"the {side.owner}'s certificate chain: {name_text(certificate.subject)} expires in {duration_text(end - now)}"
    )
    return [Finding(Code.EXPIRES_SOON, "warning", message, _RENEW[side.owner])]
