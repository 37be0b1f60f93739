"""Our own CA beside the endpoint under test: when it is at hand, and what it knows about the caller."""

from dataclasses import dataclass

from cryptography import x509

from handclasp.authority.issuers import signing_issuer
from handclasp.authority.practice import Practice
from handclasp.authority.probe import VERIFY_ENVIRONMENT, Probe
from handclasp.custody.port import Custody
from handclasp.errors import HandclaspError, NotRegistered
from handclasp.pki.naming import fingerprint, serial_text
from handclasp.registry.port import Registry
from handclasp.registry.records import Certificate
from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """The ports of the authority at hand, and in whose name it acts. It is used from the caller's thread only."""

    registry: Registry
    custody: Custody
    practice: Practice
    actor: str


def why_not(own: OwnAuthority | None, endpoint: Endpoint) -> str | None:
    """Why no probe can be issued for this endpoint; None when it can.

    The authority must be the endpoint's: its root is in --cacert, or (where a public CA vouches for the server, as
    with API Gateway) the caller's certificate is in its registry.
    """
    if own is None:
        return "needs the CA: run it with --state where the authority lives"
    try:
        root = signing_issuer(own.registry, own.custody, own.practice.urls).path[-1]
        if root in endpoint.anchors or registered(own, endpoint.credential) is not None:
            return None
    except HandclaspError as error:
        return f"needs the CA: {error}"
    return f"the CA at hand ({root.subject.rfc4514_string()}) is not the one in --cacert"


def registered(own: OwnAuthority, credential: Credential) -> Certificate | None:
    """The registry's record of exactly this certificate."""
    end_entity = credential.chain[0]
    serial_number = serial_text(end_entity.serial_number)
    for issuer in own.registry.issuers():
        try:
            known = own.registry.certificate(issuer.issuer_id, serial_number)
        except NotRegistered:
            continue
        if known.fingerprint == fingerprint(end_entity):
            return known
    return None


def environment(own: OwnAuthority, credential: Credential) -> str:
    """The caller's environment, so that the endpoint's policy admits what is enrolled beside it."""
    known = registered(own, credential)
    if known is None or known.client_id is None:
        return VERIFY_ENVIRONMENT
    return own.registry.client(known.client_id).environment


def presentable(probe: Probe) -> Credential:
    """As a client presents it: end entity and intermediates, without the root."""
    chain: list[x509.Certificate] = [c for c in probe.path if c.issuer != c.subject]
    return Credential(tuple(chain), probe.key)
