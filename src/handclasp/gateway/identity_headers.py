"""What the upstream is told of the caller: one header each, and XFCC for those who read Envoy's own.

Values are printable ASCII. A name with other characters is written with RFC 4514's hex pairs, one per UTF-8 octet,
so that no proxy or framework on the way can read it in another encoding.
"""

from datetime import datetime

from cryptography import x509

from handclasp.gateway.table import Entry

#: Every name under this prefix is ours: what a client sends under it is removed, whatever follows.
PREFIX = "x-client-"
XFCC = "x-forwarded-client-cert"


def identity_headers(entry: Entry, not_after: datetime) -> dict[str, str]:
    """Header name to value for a certificate that may pass."""
    certificate = x509.load_der_x509_certificate(entry.certificate.der)
    subject = printable(entry.certificate.subject)
    return {
        "x-client-id": entry.client_id,
        "x-client-environment": entry.environment,
        "x-client-application": entry.application,
        "x-client-serial": entry.certificate.serial_number,
        "x-client-fingerprint": entry.certificate.fingerprint,
        "x-client-subject": subject,
        "x-client-issuer": printable(certificate.issuer.rfc4514_string()),
        "x-client-not-after": f"{not_after:%Y-%m-%dT%H:%M:%SZ}",
        XFCC: _xfcc(certificate, entry.certificate.fingerprint, subject),
    }


def printable(text: str) -> str:
    """RFC 4514 2.4: a character outside printable ASCII becomes a backslash and two hex digits per UTF-8 octet."""
    return "".join(c if " " <= c <= "~" else "".join(f"\\{octet:02x}" for octet in c.encode()) for c in text)


def _xfcc(certificate: x509.Certificate, fingerprint: str, subject: str) -> str:
    """https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers: Hash, Subject, URI."""
    quoted = subject.replace("\\", "\\\\").replace('"', '\\"')
    parts = [f"Hash={fingerprint}", f'Subject="{quoted}"']
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        # An adopted certificate may hold anything: what would read as another field is left out.
        uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if not set(uri) & set(',;="')]
    except (x509.ExtensionNotFound, ValueError):
        uris = []
    return ";".join(parts + [f"URI={printable(uri)}" for uri in uris])
