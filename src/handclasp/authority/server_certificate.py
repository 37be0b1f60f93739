"""The gateway's own server certificate, from the same authority, so that `ca.pem` verifies both sides."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address

from cryptography import x509

from handclasp.authority.issuers import signing_issuer
from handclasp.authority.practice import Practice
from handclasp.authority.recording import certificate_record, details, epoch
from handclasp.custody.port import Custody
from handclasp.errors import InvalidInput
from handclasp.pki.issuance import issue, prepare
from handclasp.pki.keys import PrivateKey, generate
from handclasp.pki.request import for_key
from handclasp.registry.port import Registry
from handclasp.registry.records import Certificate

#: RFC 1123 host names, with a wildcard allowed as the leftmost label (RFC 9525 6.3).
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class ServerCredential:
    """`chain` is what the gateway sends: the server's certificate first, no root (RFC 8446 4.4.2)."""

    certificate: Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)


def issue_server_certificate(
    names: tuple[str, ...], *, registry: Registry, custody: Custody, practice: Practice, actor: str, now: datetime
) -> ServerCredential:
    """A certificate for these DNS names and IP addresses, with a new key. Raises InvalidInput for a bad name."""
    signing = signing_issuer(registry, custody, practice.urls)
    key = generate(practice.key_algorithm)
    # The subject is empty: RFC 9525 checks the SAN only, and it is critical then.
    prepared = prepare(
        for_key(key),
        practice.server,
        signing.authority,
        subject=x509.Name([]),
        now=now,
        names=[general_name(name) for name in names],
    )
    certificate = issue(prepared, signing.authority)
    record = certificate_record(
        certificate, issuer=signing.record.issuer_id, client_id=None, profile=practice.server.name, now=now
    )
    with registry.change() as change:
        change.add_certificate(record)
        change.record(
            at=epoch(now),
            actor=actor,
            action="server.issue",
            subject=",".join(names),
            details=details(
                serial_number=record.serial_number, fingerprint=record.fingerprint, not_after=record.not_after
            ),
        )
    return ServerCredential(record, (certificate, *signing.chain), key)


def general_name(name: str) -> x509.GeneralName:
    """An IP address or a DNS name, as a SAN entry. Raises InvalidInput."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if not _DNS_NAME.fullmatch(name):
        raise InvalidInput(
            f"server name {name!a} is neither a DNS name nor an IP address",
            hint="write an internationalised name in its xn-- form",
        )
    return x509.DNSName(name)
