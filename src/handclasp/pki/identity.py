"""Who a client is: its id, environment and application, and how they are written into a certificate.

The authoritative identity is a URI SAN, `spiffe://{trust domain}/{environment}/{client id}`. The common name
keeps the operators' habit, `{Environment}-{Application}-Client`. Subjects are built from attributes and never
parsed back from text: a common name with a comma or an equals sign is one attribute, not two.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import NewType

from cryptography import x509
from cryptography.x509.oid import NameOID

from handclasp.errors import InvalidInput

ClientId = NewType("ClientId", str)

#: ASCII only, so that two names that look alike are the same name; safe as a folder and as a SPIFFE segment.
_CLIENT_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_ENVIRONMENT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_APPLICATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_TRUST_DOMAIN = re.compile(r"(?=.{1,255}\Z)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")

#: RFC 5280 appendix A: ub-common-name and ub-organization-name. It counts characters; `cryptography` and other
#: parsers count the bytes of UTF-8, so we do too.
UB_TEXT = 64
#: Characters that steer the direction or ending of text, and so could make a name look like another.
_STEERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2066\u2067\u2068\u2069\ufeff")


def client_id(text: str) -> ClientId:
    """A client's name: 1 to 64 of A-Z a-z 0-9 . _ -, first and last a letter or digit, no "..".

    Raises InvalidInput.
    """
    if not _CLIENT_ID.fullmatch(text) or ".." in text:
        raise InvalidInput(
            f"client name {shown(text)} is not allowed",
            hint="use 1 to 64 ASCII letters, digits, dots, dashes or underscores, "
            "with a letter or digit first and last",
        )
    return ClientId(text)


def environment(text: str) -> str:
    """An environment's name: 1 to 32 of a-z 0-9 -. Raises InvalidInput."""
    if not _ENVIRONMENT.fullmatch(text):
        raise InvalidInput(
            f"environment {shown(text)} is not allowed",
            hint="use up to 32 lower-case ASCII letters, digits and dashes, such as prod",
        )
    return text


def application(text: str) -> str:
    """An application's name: 1 to 32 of A-Z a-z 0-9 -. Raises InvalidInput."""
    if not _APPLICATION.fullmatch(text):
        raise InvalidInput(
            f"application {shown(text)} is not allowed",
            hint="use up to 32 ASCII letters, digits and dashes, such as nextjs",
        )
    return text


def trust_domain(text: str) -> str:
    """A SPIFFE trust domain: a lower-case host-like name. Raises InvalidInput."""
    if not _TRUST_DOMAIN.fullmatch(text):
        raise InvalidInput(f"trust domain {shown(text)} is not allowed", hint="use a name such as example.org")
    return text


def subject_text(text: str, what: str) -> str:
    """Text for one subject attribute, unchanged if it may be signed. Raises InvalidInput.

    Commas, equals signs, quotes and emoji round-trip (UTF8String); more than 64 bytes of UTF-8, control and
    direction-steering characters, and space at either end are refused before anything is signed.
    """
    size = len(text.encode(errors="surrogatepass"))
    if not 1 <= size <= UB_TEXT:
        raise InvalidInput(f"{what} has {size} bytes in UTF-8; 1 to {UB_TEXT} are allowed (RFC 5280 ub-common-name)")
    if text != text.strip():
        raise InvalidInput(f"{what} {shown(text)} begins or ends with white space")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Co", "Cn"} or c in _STEERING for c in text):
        raise InvalidInput(f"{what} {shown(text)} holds a control or unassigned character")
    return text


def shown(text: str) -> str:
    """Hostile text, made safe for one line of an error message."""
    limit = 80
    return ascii(text if len(text) <= limit else text[:limit] + "...")


@dataclass(frozen=True, slots=True)
class Identity:
    """A client's identity, each part already checked by the functions above."""

    trust_domain: str
    environment: str
    application: str
    client_id: ClientId

    @property
    def common_name(self) -> str:
        """`{Environment}-{Application}-Client`: only the first letter of each is raised."""
        return f"{_capital(self.environment)}-{_capital(self.application)}-Client"

    @property
    def uri(self) -> str:
        """`spiffe://{trust domain}/{environment}/{client id}`."""
        return f"spiffe://{self.trust_domain}/{self.environment}/{self.client_id}"


def subject(common_name: str, organization: str | None = None) -> x509.Name:
    """O (if any) before CN, both UTF8String. The texts must have passed `subject_text`."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
