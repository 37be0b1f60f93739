"""Which certificate has taken another's place, followed to the one that lives."""

from collections.abc import Sequence

from handclasp.registry.port import Reader
from handclasp.registry.records import Certificate, CertificateStatus, Holding, RevocationReason


def is_replaced(registry: Reader, certificate: Certificate, held: Sequence[Holding] = ()) -> bool:
    return certificate.replaced_by is not None and replacement(registry, certificate, held) is not None


def replacement(registry: Reader, certificate: Certificate, held: Sequence[Holding] = ()) -> Certificate | None:
    """The active certificate at the end of the line, or None: replaced by nothing, or by what was revoked since.

    `held` are the client's active certificates, if the caller has them: nothing else is read when the line ends there.
    """
    if certificate.replaced_by is None:
        return None
    for each in held:
        if each.certificate.fingerprint == certificate.replaced_by:
            return each.certificate
    known = {c.fingerprint: c for c in registry.certificates(certificate.client_id or "")}
    following = known.get(certificate.replaced_by)
    # Each step takes one out: a line that bites its own tail ends too.
    while following is not None and known.pop(following.fingerprint, None) is not None:
        if following.status is CertificateStatus.ACTIVE:
            return following
        if following.revocation_reason is not RevocationReason.SUPERSEDED:
            return None
        following = known.get(following.replaced_by or "")
    return None
