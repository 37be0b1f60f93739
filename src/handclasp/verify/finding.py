"""What `doctor` has to say: one finding a sentence, and under it what to do."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from cryptography import x509

Severity = Literal["ok", "warning", "problem"]


class Code(StrEnum):
    """Every diagnosis, by a name that scripts can rely on. `SERVER_…` is about the server's certificate,
    `REFUSED_…` an alert of the server, `HTTP_…` its answer; the others are about what the client brings."""

    # how a file is written
    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"
    FILE_ENCODING = "file_encoding"
    FILE_BASE64_TWICE = "file_base64_twice"
    FILE_LITERAL_NEWLINES = "file_literal_newlines"
    FILE_ONE_LINE = "file_one_line"
    FILE_LINE_ENDS = "file_line_ends"
    FILE_TEXT_AROUND = "file_text_around"
    FILE_IS_DER = "file_is_der"
    FILE_WRONG_KIND = "file_wrong_kind"
    FILE_DAMAGED = "file_damaged"
    FILES_SWAPPED = "files_swapped"
    # the key and its certificate
    KEY_MISSING = "key_missing"
    KEY_ENCRYPTED = "key_encrypted"
    KEY_PASSPHRASE_WRONG = "key_passphrase_wrong"  # noqa: S105 - a name, not a passphrase
    KEY_UNSUPPORTED = "key_unsupported"
    KEY_MISMATCH = "key_mismatch"
    KEY_MATCHES = "key_matches"
    CERTIFICATE_MISSING = "certificate_missing"
    CREDENTIAL_UNUSABLE = "credential_unusable"
    # the client's certificate and chain
    CHAIN_ORDER = "chain_order"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRES_SOON = "expires_soon"
    VALIDITY = "validity"
    WRONG_USAGE = "wrong_usage"
    WEAK_KEY = "weak_key"
    WEAK_SIGNATURE = "weak_signature"
    PATH_TOO_DEEP = "path_too_deep"
    INTERMEDIATE_MISSING = "intermediate_missing"
    NOT_ISSUED_BY_CA = "not_issued_by_ca"
    PATH_INVALID = "path_invalid"
    PATH_VALID = "path_valid"
    CA_FILE_WITHOUT_ROOT = "ca_file_without_root"
    CA_FILE_HOLDS_KEY = "ca_file_holds_key"
    CLOCK_WRONG = "clock_wrong"
    CLOCK_RIGHT = "clock_right"
    # the way to the server
    URL_NOT_HTTPS = "url_not_https"
    HOST_UNRESOLVED = "host_unresolved"
    PORT_CLOSED = "port_closed"
    HOST_UNREACHABLE = "host_unreachable"
    TIMED_OUT = "timed_out"
    PLAIN_HTTP = "plain_http"
    NOT_TLS = "not_tls"
    HANDSHAKE_CUT = "handshake_cut"
    TLS_FAILED = "tls_failed"
    TLS_TOO_OLD = "tls_too_old"
    HANDSHAKE = "handshake"
    # the server's certificate
    SERVER_NAME_MISMATCH = "server_name_mismatch"
    SERVER_NOT_TRUSTED = "server_not_trusted"
    SERVER_CHAIN_INCOMPLETE = "server_chain_incomplete"
    SERVER_EXPIRED = "server_expired"
    SERVER_NOT_YET_VALID = "server_not_yet_valid"
    SERVER_WRONG_USAGE = "server_wrong_usage"
    SERVER_WEAK_KEY = "server_weak_key"
    SERVER_WEAK_SIGNATURE = "server_weak_signature"
    SERVER_PATH_TOO_DEEP = "server_path_too_deep"
    SERVER_PATH_INVALID = "server_path_invalid"
    SERVER_REFUSED_BY_OPENSSL = "server_refused_by_openssl"
    SERVER_TRUSTED = "server_trusted"
    # what the server thinks of the client
    CERTIFICATE_NOT_REQUESTED = "certificate_not_requested"
    CERTIFICATE_NOT_SENT = "certificate_not_sent"
    CA_NOT_ACCEPTABLE = "ca_not_acceptable"
    REFUSED_NONE_SENT = "refused_none_sent"
    REFUSED_BAD_CERTIFICATE = "refused_bad_certificate"
    REFUSED_UNSUPPORTED = "refused_unsupported"
    REFUSED_REVOKED = "refused_revoked"
    REFUSED_EXPIRED = "refused_expired"
    REFUSED_UNKNOWN = "refused_unknown"
    REFUSED_UNKNOWN_CA = "refused_unknown_ca"
    REFUSED_ACCESS = "refused_access"
    REFUSED_OTHER = "refused_other"
    REFUSED_SILENTLY = "refused_silently"
    # what it answered
    HTTP_CERTIFICATE_ERROR = "http_certificate_error"
    HTTP_CERTIFICATE_REQUIRED = "http_certificate_required"
    HTTP_UNAUTHORIZED = "http_unauthorized"
    HTTP_FORBIDDEN = "http_forbidden"
    HTTP_NO_ROUTE = "http_no_route"
    HTTP_MISDIRECTED = "http_misdirected"
    HTTP_GATEWAY_FAILED = "http_gateway_failed"
    HTTP_OTHER = "http_other"
    HTTP_ACCEPTED = "http_accepted"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and the next step: None when there is nothing to do."""

    code: Code
    severity: Severity
    message: str
    fix: str | None = None


def printable(text: str, limit: int = 120) -> str:
    """Text a stranger chose, safe for a terminal: no control characters, not endless."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= limit else clean[:limit] + "..."


def name_text(name: x509.Name) -> str:
    return printable(name.rfc4514_string()) or "(no subject)"


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def duration_text(span: timedelta) -> str:
    """ "3 days", "5 minutes 20 seconds": the two largest units, without a sign."""
    left = round(abs(span.total_seconds()))
    words = []
    for seconds, unit in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            words.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(words[:2]) or "0 seconds"
