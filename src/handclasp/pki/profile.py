"""What each kind of certificate says: five profiles, one table (RFC 5280 4.2).

A request chooses its public key and nothing else; extensions come from here. The set is the one that PKIX
linters find nothing in and that OpenSSL -x509_strict, GnuTLS, NSS, Java, Go, BoringSSL and Python accept.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.errors import InvalidInput

_ANY_POLICY = x509.ObjectIdentifier("2.5.29.32.0")
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
_OCSP = (ExtendedKeyUsageOID.OCSP_SIGNING,)

MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate. `days` is its lifetime unless the request names another, at most `max_days`."""

    name: str
    days: int
    max_days: int
    ca: bool = False
    path_length: int | None = None
    extended_key_usage: tuple[x509.ObjectIdentifier, ...] = ()
    policies: tuple[x509.ObjectIdentifier, ...] = ()
    #: authority information access and CRL distribution points, when the issuer has such URLs
    points_to_issuer: bool = True
    ocsp_no_check: bool = False

    def lasting(self, days: int | None) -> timedelta:
        """The lifetime asked for, or this profile's own. Raises InvalidInput outside 1..max_days."""
        if days is None:
            return timedelta(days=self.days)
        if not 1 <= days <= self.max_days:
            raise InvalidInput(
                f"profile '{self.name}' allows 1 to {self.max_days} days, requested {days}",
                hint=f"pass --days {min(self.days, self.max_days)}",
            )
        return timedelta(days=days)

    def configured(self, *, days: int | None = None, policy: str | None = None) -> "Profile":
        """The same profile with the operator's lifetime and certificate policy OID. Raises InvalidInput."""
        profile = self if days is None else replace(self, days=self.lasting(days).days)
        return profile if policy is None else replace(profile, policies=(policy_oid(policy),))


def policy_oid(text: str) -> x509.ObjectIdentifier:
    """A certificate policy of the operator's own arc. Raises InvalidInput.

    Arcs over 32 bits, such as 2.25.{UUID}, are refused: common parsers cannot read them.
    """
    try:
        oid = x509.ObjectIdentifier(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not an object identifier") from None
    if any(int(arc) >= 1 << 32 for arc in text.split(".")):
        raise InvalidInput(f"object identifier {text} has an arc over 32 bits")
    return oid


ROOT = Profile("root", days=3650, max_days=MAX_DAYS, ca=True, points_to_issuer=False)
INTERMEDIATE = Profile(
    "intermediate",
    days=1825,
    max_days=MAX_DAYS,
    ca=True,
    path_length=0,
    extended_key_usage=_CLIENT + _SERVER,
    policies=(_ANY_POLICY,),
)
CLIENT = Profile("client", days=90, max_days=3650, extended_key_usage=_CLIENT)
SERVER = Profile("server", days=90, max_days=3650, extended_key_usage=_SERVER)
OCSP_RESPONDER = Profile(
    "ocsp-responder",
    days=7,
    max_days=90,
    extended_key_usage=_OCSP,
    points_to_issuer=False,
    ocsp_no_check=True,
)
