"""The server's certificate and chain, as an honest client judges them, and in more words than it uses.

Whether the server is trusted is OpenSSL's verdict, because that is what clients meet; why it is not is found by
looking at the chain as sent. A chain that stops below an unknown issuer looks the same whether the server left
out its intermediate or belongs to another CA: then both are said.
"""

from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from handclasp.errors import PathInvalid
from handclasp.pki.path import MAX_CERTIFICATES, SERVER_AUTH, Fault, verify_path
from handclasp.verify.certificate_checks import SERVER, Clocks, strength, validity
from handclasp.verify.client_path import last_step
from handclasp.verify.finding import Code, Finding, name_text, printable
from handclasp.verify.material import Certificates
from handclasp.verify.probe_tls import Verdict
from handclasp.verify.target import Target

_SHOWN_NAMES = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known about the server: its chain, who may have issued it, and what OpenSSL said to it."""

    chain: Certificates
    anchors: Certificates
    #: certificates in the client's own files: one of them may be the issuer the server did not send
    others: Certificates
    verdict: Verdict | None
    #: with a CA file only: would the CAs that this machine trusts have accepted the server?
    publicly_trusted: bool = False


def server_findings(seen: Seen, target: Target, clocks: Clocks) -> list[Finding]:
    """Name, dates, strength, and trust: everything that is wrong, or one sentence that nothing is."""
    if not seen.chain:
        return []
    found = name_mismatch(seen.chain[0], target)
    for certificate in seen.chain[:MAX_CERTIFICATES]:
        found += validity(certificate, SERVER, clocks)
        # A root sent along is not needed, and how it is signed is not looked at.
        found += strength(certificate, SERVER, is_anchor=certificate.subject == certificate.issuer)
    found += _trust(seen, clocks)
    if seen.verdict is not None and not any(f.severity == "problem" for f in found):
        message = f"OpenSSL refuses the server's certificate: {printable(seen.verdict.words)}"
        fix = "the words are OpenSSL's; openssl verify -show_chain -CAfile ca.crt server.crt tells more"
        found.append(Finding(Code.SERVER_REFUSED_BY_OPENSSL, "problem", message, fix))
    if not any(f.severity == "problem" for f in found):
        by = "the CA file" if seen.anchors else "the CAs this machine trusts"
        message = f"the server's certificate is for {target.host}, in date, and issued under {by}"
        found.append(Finding(Code.SERVER_TRUSTED, "ok", message))
    return found


def name_mismatch(certificate: x509.Certificate, target: Target) -> list[Finding]:
    """RFC 9525: the host against the subject alternative names. The common name no longer counts."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    dns = names.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if target.is_address:
        matches = str(ip_address(target.host)) in addresses
    else:
        matches = any(dns_matches(pattern, target.host) for pattern in dns)
    if matches:
        return []
    shown = ", ".join(printable(name) for name in [*dns, *addresses][:_SHOWN_NAMES])
    shown += f" and {len(dns) + len(addresses) - _SHOWN_NAMES} more" if len(dns) + len(addresses) > 8 else ""  # noqa: PLR2004
    message = f"the server's certificate is not for {target.host}: "
    if shown:
        message += f"it names {shown}"
    else:
        common = [printable(str(a.value)) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        message += "it has no subject alternative name"
        message += f", only the common name {common[0]}, which clients ignore" if common else ""
    fix = (
        "use one of its names in the URL, or have the server's certificate issued for this name too; "
        "never switch off the host name check"
    )
    return [Finding(Code.SERVER_NAME_MISMATCH, "problem", message, fix)]


def dns_matches(pattern: str, host: str) -> bool:
    """RFC 9525 6.3: equal, or a wildcard that is the whole left-most label."""
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if pattern.startswith("*."):
        label, dot, parent = host.partition(".")
        return bool(label and dot) and pattern[2:] == parent
    return pattern == host


def _trust(seen: Seen, clocks: Clocks) -> list[Finding]:
    if not seen.anchors:
        return [] if seen.verdict is None else _untrusted_by_machine(seen)
    try:
        verify_path(
            seen.chain[0],
            seen.chain[1:],
            seen.anchors,
            now=clocks.there or clocks.here,
            usage=SERVER_AUTH,
        )
    except PathInvalid as error:
        return _path_finding(error, seen)
    return []


def _path_finding(error: PathInvalid, seen: Seen) -> list[Finding]:
    fault = Fault(error.fault)
    if fault is Fault.NO_ISSUER:
        return [_no_issuer(seen)]
    said = {c.subject.rfc4514_string() for c in seen.chain}
    if fault in {Fault.EXPIRED, Fault.NOT_YET_VALID, Fault.WEAK_KEY, Fault.WEAK_SIGNATURE} and (error.subject in said):
        return []
    code, fix = _FAULTS.get(fault, (Code.SERVER_PATH_INVALID, "the server needs another certificate"))
    return [Finding(code, "problem", f"the server's chain: {error}", fix)]


_FAULTS = {
    Fault.EXPIRED: (Code.SERVER_EXPIRED, "get the current CA file"),
    Fault.USAGE: (
        Code.SERVER_WRONG_USAGE,
        "the server needs a certificate issued with extendedKeyUsage = serverAuth",
    ),
    Fault.PATH_TOO_LONG: (
        Code.SERVER_PATH_TOO_DEEP,
        "the server needs a certificate from a shorter hierarchy",
    ),
    Fault.SIGNATURE: (
        Code.SERVER_NOT_TRUSTED,
        "a CA was made again under its old name: get the current CA file, or renew the server's certificate",
    ),
}


def _no_issuer(seen: Seen) -> Finding:
    top = last_step(seen.chain)
    issuer = name_text(top.issuer)
    ours = "; ".join(name_text(anchor.subject) for anchor in seen.anchors[:3])
    if seen.publicly_trusted:
        message = f"the server's certificate was issued by a public CA ({issuer}), not by the CA file's ({ours})"
        fix = "leave the CA file out for this server: its certificate is one that this machine trusts anyway"
        return Finding(Code.SERVER_NOT_TRUSTED, "problem", message, fix)
    if top.subject == top.issuer:
        message = f"the server's chain ends at the root {name_text(top.subject)}; the CA file holds {ours}"
        fix = "get the CA file of this server from its operator, over a channel you trust; check the URL"
        return Finding(Code.SERVER_NOT_TRUSTED, "problem", message, fix)
    if any(other.subject == top.issuer for other in seen.others):
        message = (
            f"the server does not send the certificate of its issuer {issuer}, which is in your own "
            "certificate file: clients that do not have it cannot build the path"
        )
        fix = _FIX_INCOMPLETE.format(issuer=issuer)
        return Finding(Code.SERVER_CHAIN_INCOMPLETE, "problem", message, fix)
    alone = len(seen.chain) == 1
    code = Code.SERVER_CHAIN_INCOMPLETE if alone else Code.SERVER_NOT_TRUSTED
    message = (
        f"the server's chain ({len(seen.chain)} sent) stops at {name_text(top.subject)}, issued by {issuer}, "
        f"which was neither sent nor is it in the CA file ({ours})"
    )
    fix = f"either {_FIX_INCOMPLETE.format(issuer=issuer)}; or, if {issuer} belongs to another CA, get that CA's file"
    return Finding(code, "problem", message, fix)


_FIX_INCOMPLETE = (
    "the server must send {issuer} along: put the full chain into its certificate file "
    "(nginx ssl_certificate, Envoy certificate_chain: end entity first, then the intermediates)"
)


def _untrusted_by_machine(seen: Seen) -> list[Finding]:
    """Without a CA file there is only OpenSSL's word, so it is its code that is explained."""
    code, fix = _VERDICTS.get(seen.verdict.code if seen.verdict else 0, (None, ""))
    if code is None:
        return []
    top = last_step(seen.chain)
    words = printable(seen.verdict.words) if seen.verdict else ""
    message = (
        f"this machine trusts no CA that leads to the server's certificate ({words}); the chain as sent stops at "
        f"{name_text(top.subject)}, issued by {name_text(top.issuer)}"
    )
    return [Finding(code, "problem", message, fix.format(issuer=name_text(top.issuer)))]


_FIX_CA_FILE = "pass the CA file of the server's operator (--cacert)"
#: OpenSSL's X509_V_ERR_…
_VERDICTS = {
    18: (Code.SERVER_NOT_TRUSTED, _FIX_CA_FILE),  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: (Code.SERVER_NOT_TRUSTED, _FIX_CA_FILE),  # SELF_SIGNED_CERT_IN_CHAIN
    20: (Code.SERVER_NOT_TRUSTED, f"{_FIX_CA_FILE}; or {_FIX_INCOMPLETE}"),  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: (Code.SERVER_CHAIN_INCOMPLETE, f"{_FIX_CA_FILE}; or {_FIX_INCOMPLETE}"),  # ..VERIFY_LEAF_SIGNATURE
}
