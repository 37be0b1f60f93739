"""Which certificate has taken another's place, followed to the newest that lives."""

from collections.abc import Sequence

from handclasp.registry.port import Reader
from handclasp.registry.records import Certificate, CertificateStatus, Holding, RevocationReason


def is_replaced(registry: Reader, certificate: Certificate, held: Sequence[Holding] = ()) -> bool:
    return certificate.replaced_by is not None and replacement(registry, certificate, held) is not None


def replacement(registry: Reader, certificate: Certificate, held: Sequence[Holding] = ()) -> Certificate | None:
    """The last active certificate of the line that begins with this one's replacement; None if there is none.

    A line ends where something was revoked for another reason than that it was superseded: what replaced that is not
    what this one was to be replaced by. `held` are the client's active certificates, if the caller has them: nothing
    else is read while the line stays within.
    """
    if certificate.replaced_by is None:
        return None
    known = {each.certificate.fingerprint: each.certificate for each in held}
    is_all = False
    passed: set[str] = set()
    found = None
    following: str | None = certificate.replaced_by
    while following is not None and following not in passed:
        if following not in known and not is_all:
            known |= {each.fingerprint: each for each in registry.certificates(certificate.client_id or "")}
            is_all = True
        if following not in known:
            break
        passed.add(following)  # a line that bites its own tail ends too
        each = known[following]
        if each.status is CertificateStatus.ACTIVE:
            found = each
        elif each.revocation_reason is not RevocationReason.SUPERSEDED:
            break
        following = each.replaced_by
    return found
