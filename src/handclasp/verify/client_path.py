"""Would a server that trusts the CA file accept the client's chain? Usage, depth, and the way to an anchor."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from handclasp.errors import PathInvalid
from handclasp.pki.path import CLIENT_AUTH, MAX_CERTIFICATES, Fault, verify_path
from handclasp.verify.certificate_checks import CLIENT, Clocks, strength, validity
from handclasp.verify.finding import Code, Finding, name_text
from handclasp.verify.material import Certificates, is_ca
from handclasp.verify.tls_messages import CertificateRequest

#: What `strength`, `validity` and `usage` say in more words than the path's own fault would.
_SAID_ALREADY = frozenset({Fault.EXPIRED, Fault.NOT_YET_VALID, Fault.WEAK_KEY, Fault.WEAK_SIGNATURE, Fault.USAGE})
_DEPTH_FIX = (
    "issue clients from a shorter hierarchy, root and one intermediate; API Gateway and ALB allow four CAs "
    "at most, and a CA's pathLenConstraint may allow fewer"
)


def client_findings(chain: Certificates, anchors: Certificates, clocks: Clocks) -> list[Finding]:
    """Everything about the client's chain that can be known before a server says it."""
    if not chain:
        return []
    found = [*usage(chain[0])]
    for certificate in chain[:MAX_CERTIFICATES]:
        found += validity(certificate, CLIENT, clocks)
        found += strength(certificate, CLIENT, is_anchor=certificate in anchors)
    found += _path(chain, anchors, clocks)
    if not any(f.severity == "problem" for f in found):
        end = chain[0].not_valid_after_utc
        message = f"{name_text(chain[0].subject)} may be used by a TLS client and is valid to {end:%Y-%m-%d %H:%M} UTC"
        found.append(Finding(Code.VALIDITY, "ok", message))
    return found


def usage(certificate: x509.Certificate) -> list[Finding]:
    """Is it a client's certificate at all (RFC 5280 4.2.1.12)? Without the extension every use is allowed."""
    name = name_text(certificate.subject)
    if is_ca(certificate):
        message = f"{name} is a CA's certificate, not a client's"
        fix = "present a client certificate issued by this CA; never use a CA's key for connections"
        return [Finding(Code.WRONG_USAGE, "problem", message, fix)]
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if CLIENT_AUTH in purposes or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in purposes:
        return []
    said = ", ".join(purpose._name for purpose in purposes)
    message = (
        f"{name} may not be used by a TLS client: its extended key usage is {said} and lacks clientAuth; "
        "servers refuse it as unsupported certificate"
    )
    fix = "have it issued again with extendedKeyUsage = clientAuth"
    return [Finding(Code.WRONG_USAGE, "problem", message, fix)]


def acceptable(chain: Certificates, anchors: Certificates, request: CertificateRequest | None) -> list[Finding]:
    """Does the server ask for CAs that the client's chain leads to? An empty list asks for any."""
    if request is None or not request.acceptable_cas or not chain:
        return []
    issuers = [certificate.issuer for certificate in chain]
    # The server may name only the root: whoever has the CA file knows the step from the chain to it.
    issuers += [anchor.issuer for anchor in anchors if anchor.subject in issuers]
    if any(issuer in request.acceptable_cas for issuer in issuers):
        return []
    names = "; ".join(name_text(name) for name in request.acceptable_cas[:5])
    more = len(request.acceptable_cas) - 5
    message = (
        f"the server asks for certificates of other CAs ({names}{f'; and {more} more' if more > 0 else ''}) "
        f"than the client's issuer {name_text(chain[-1].issuer)}; Java, Go and browsers then send none"
    )
    fix = (
        "present a certificate from one of those CAs, or ask the server's operator to add the client's issuer "
        "to the trust store; check that this is the right environment"
    )
    return [Finding(Code.CA_NOT_ACCEPTABLE, "problem", message, fix)]


def _path(chain: Certificates, anchors: Certificates, clocks: Clocks) -> list[Finding]:
    if len(chain) > MAX_CERTIFICATES:
        message = f"the certificate file holds {len(chain)} certificates; at most {MAX_CERTIFICATES} are used"
        return [Finding(Code.PATH_TOO_DEEP, "problem", message, _DEPTH_FIX)]
    if not anchors:
        return []
    found = _ca_file(anchors)
    try:
        path = verify_path(chain[0], chain[1:], anchors, now=clocks.there or clocks.here)
    except PathInvalid as error:
        return found + _path_finding(error, chain)
    steps = " <- ".join(name_text(certificate.subject) for certificate in path.certificates)
    return [*found, Finding(Code.PATH_VALID, "ok", f"the client's path reaches the CA file: {steps}")]


def _path_finding(error: PathInvalid, chain: Certificates) -> list[Finding]:
    fault = Fault(error.fault)
    if fault in _SAID_ALREADY:
        # Said by the checks of the chain file, unless the certificate stands in the CA file only.
        if error.subject in {c.subject.rfc4514_string() for c in chain}:
            return []
        return [Finding(_CODES[fault], "problem", str(error), "replace that CA certificate")]
    if fault is Fault.PATH_TOO_LONG:
        return [Finding(Code.PATH_TOO_DEEP, "problem", str(error), _DEPTH_FIX)]
    if fault is Fault.SIGNATURE:
        fix = "a CA was made again under its old name: use the CA file and the certificate of the same generation"
        return [Finding(Code.NOT_ISSUED_BY_CA, "problem", str(error), fix)]
    if fault is Fault.NO_ISSUER:
        return [_no_issuer(chain)]
    return [Finding(Code.PATH_INVALID, "problem", str(error), "have the chain issued again")]


_CODES = {
    Fault.EXPIRED: Code.EXPIRED,
    Fault.NOT_YET_VALID: Code.NOT_YET_VALID,
    Fault.WEAK_KEY: Code.WEAK_KEY,
    Fault.WEAK_SIGNATURE: Code.WEAK_SIGNATURE,
    Fault.USAGE: Code.WRONG_USAGE,
}


def _no_issuer(chain: Certificates) -> Finding:
    top = last_step(chain)
    if top.subject == top.issuer:
        message = f"the client's chain ends at the root {name_text(top.subject)}, which is not in the CA file"
        fix = "use the CA file that belongs to this client's CA, or a certificate from the CA in the file"
        return Finding(Code.NOT_ISSUED_BY_CA, "problem", message, fix)
    issuer_name = name_text(top.issuer)
    message = (
        f"{name_text(top.subject)} was issued by {issuer_name}, which is neither in the certificate file "
        "nor in the CA file: a server that knows only the root cannot build the path"
    )
    fix = (
        f"append the certificate of {issuer_name} to the certificate file (cat client.crt intermediate.crt > "
        "chain.crt), or publish it in the server's trust store; if it is another CA's, use that CA's files"
    )
    return Finding(Code.INTERMEDIATE_MISSING, "problem", message, fix)


def last_step(chain: Certificates) -> x509.Certificate:
    """The certificate at which the way up from the end entity stops, within what was sent or is in the file."""
    top, rest = chain[0], list(chain[1:])
    while issuer := next((c for c in rest if c.subject == top.issuer), None):
        rest.remove(issuer)
        top = issuer
    return top


def _ca_file(anchors: Certificates) -> list[Finding]:
    if any(anchor.subject == anchor.issuer for anchor in anchors):
        return []
    message = (
        "the CA file holds no root: OpenSSL and Python before 3.13 do not stop at an intermediate and refuse "
        "every server with 'unable to get issuer certificate'"
    )
    return [Finding(Code.CA_FILE_WITHOUT_ROOT, "warning", message, "append the root's certificate to it")]
