"""What a server says to a client, in words: how a connection ends, TLS alerts, and HTTP answers. Three tables."""

from handclasp.pki.identity import shown
from handclasp.verify.finding import Code, Finding, Severity, printable
from handclasp.verify.probe_http import Response
from handclasp.verify.probe_tls import Ending, Observation
from handclasp.verify.target import Target

#: Endings without a word from TLS: code, message, what to do.
_ENDINGS = {
    Ending.UNRESOLVED: (
        Code.HOST_UNRESOLVED,
        "the name {host} does not resolve: {detail}",
        "check the spelling, and DNS: private names resolve only inside their network or VPN",
    ),
    Ending.PORT_CLOSED: (
        Code.PORT_CLOSED,
        "nothing listens on {host} port {port}",
        "check the port, and that the gateway is running",
    ),
    Ending.UNREACHABLE: (
        Code.HOST_UNREACHABLE,
        "{host} port {port} cannot be reached: {detail}",
        "check the network, the VPN, and IPv6: the name may resolve to addresses you have no route to",
    ),
    Ending.CONNECT_TIMED_OUT: (
        Code.TIMED_OUT,
        "{host} port {port} does not answer at all",
        "a firewall or security group drops the packets, or the address is wrong: ask for your address to be let in",
    ),
    Ending.HANDSHAKE_TIMED_OUT: (
        Code.TIMED_OUT,
        "{host} port {port} accepts connections but does not answer a TLS ClientHello",
        "it may speak another protocol, or a proxy in between waits for something: check the port",
    ),
    Ending.HANDSHAKE_CUT: (
        Code.HANDSHAKE_CUT,
        "{host} port {port} closed the connection during the handshake, without a TLS alert",
        "API Gateway does so to clients without a certificate, firewalls to names they do not know: check that "
        "the certificate is sent and the host name is right",
    ),
    Ending.PLAIN_HTTP: (
        Code.PLAIN_HTTP,
        "{host} port {port} speaks plain HTTP, not TLS: it answered {detail}",
        "use the TLS port (often 443 or 8443), or switch TLS on in that listener",
    ),
    Ending.NOT_TLS: (
        Code.NOT_TLS,
        "{host} port {port} does not speak TLS",
        "check the port: another protocol lives there",
    ),
    Ending.TLS_FAILED: (
        Code.TLS_FAILED,
        "the handshake failed in a way that no certificate causes: {detail}",
        "compare with openssl s_client -connect {host}:{port} -servername {host} -trace",
    ),
    Ending.CLOSED_SILENTLY: (
        Code.REFUSED_SILENTLY,
        "the handshake went through, then the server closed the connection without an alert or an answer: in "
        "TLS 1.3 that is how some servers refuse a client certificate",
        "look in the server's log for this connection; mend what is said above about the certificate first",
    ),
    Ending.ANSWER_TIMED_OUT: (
        Code.TIMED_OUT,
        "the handshake went through, but no HTTP answer came in time",
        "the gateway's upstream hangs, or the port speaks another protocol inside TLS",
    ),
}

_SAYS = "the server refuses the client's certificate in the handshake: "
_NEW_OR_OTHER = "ask the operator whether it was revoked or never registered; enrol again if so"

#: RFC 8446 6, RFC 5246 7.2: alert number -> code, what it means, what to do.
_ALERTS = {
    42: (
        Code.REFUSED_BAD_CERTIFICATE,
        _SAYS + "bad certificate (its signature does not verify, or it cannot be parsed)",
        "check the chain's order and that each certificate was issued by the next; " + _NEW_OR_OTHER,
    ),
    43: (
        Code.REFUSED_UNSUPPORTED,
        _SAYS + "unsupported certificate (its extended key usage or kind of key does not fit)",
        "have it issued with extendedKeyUsage = clientAuth and a P-256 or RSA key",
    ),
    44: (
        Code.REFUSED_REVOKED,
        _SAYS + "certificate revoked",
        "ask the operator why; a revoked certificate stays revoked: make a new key and enrol again",
    ),
    45: (
        Code.REFUSED_EXPIRED,
        _SAYS + "certificate expired, or not valid yet, by the server's clock (it may be an intermediate)",
        "renew it; if its dates are good, the server's clock or its CRL is out of date",
    ),
    46: (
        Code.REFUSED_UNKNOWN,
        _SAYS + "certificate unknown (the server does not say more)",
        _NEW_OR_OTHER + "; the reason is in the server's log",
    ),
    48: (
        Code.REFUSED_UNKNOWN_CA,
        _SAYS + "unknown CA: it found no path from the certificate to a CA it trusts",
        "send the full chain (end entity, then intermediates); if that is done, the server's trust store lacks "
        "your CA: ask the operator to publish it, and check that this is the right environment",
    ),
    49: (
        Code.REFUSED_ACCESS,
        _SAYS + "access denied: the certificate is valid, its owner may not come in",
        "ask the operator to register or reactivate this client",
    ),
    51: (
        Code.REFUSED_BAD_CERTIFICATE,
        _SAYS + "decrypt error: the proof that we hold the private key did not verify",
        "check that key and certificate are one pair; a hardware key or engine may sign wrongly",
    ),
    70: (
        Code.TLS_TOO_OLD,
        "the server speaks no TLS version in common with this client (protocol version alert)",
        "the server must offer TLS 1.2 or 1.3",
    ),
    112: (
        Code.REFUSED_OTHER,
        "the server does not know the host name it was asked for (unrecognized name)",
        "use the host name that the server is configured for: its address or another alias will not do",
    ),
    116: (
        Code.REFUSED_NONE_SENT,
        "the server requires a client certificate and got none",
        "present the certificate and its key (curl --cert and --key); if you did, see the findings above: "
        "a pair that does not load is not sent",
    ),
}
_HANDSHAKE_FAILURE = 40  # RFC 5246 7.2.2: also TLS 1.2's way to say that a certificate is required

_TRY_NEW = (
    "ask the operator to look up this certificate's serial number: register it if it is unknown, reactivate the "
    "client if it is suspended; if it was revoked, make a new key and enrol again; if its CA is new, its "
    "intermediate must be in the trust store (on API Gateway: UpdateDomainName with the new version)"
)

#: HTTP status (0: any of the class below), words in the body, and what the answer means. The first row fits.
_ANSWERS: tuple[tuple[range, bytes, Code, Severity, str, str | None], ...] = (
    (
        range(400, 401),
        b"no required ssl certificate",
        Code.HTTP_CERTIFICATE_REQUIRED,
        "problem",
        "nginx requires a client certificate and got none",
        "present the certificate and its key (curl --cert and --key)",
    ),
    (
        range(400, 401),
        b"ssl certificate error",
        Code.HTTP_CERTIFICATE_ERROR,
        "problem",
        "nginx does not accept the client's certificate (ssl_verify_client), and tells the reason only to its log",
        "look for 'client SSL certificate verify error' in nginx's error log; usual reasons: expired, issuer not "
        "in ssl_client_certificate, ssl_verify_depth too small, a stale CRL in ssl_crl",
    ),
    (
        range(495, 496),
        b"",
        Code.HTTP_CERTIFICATE_ERROR,
        "problem",
        "nginx does not accept the client's certificate",
        "look for 'client SSL certificate verify error' in nginx's error log",
    ),
    (
        range(496, 497),
        b"",
        Code.HTTP_CERTIFICATE_REQUIRED,
        "problem",
        "nginx requires a client certificate and got none",
        "present the certificate and its key (curl --cert and --key)",
    ),
    (
        range(401, 402),
        b"",
        Code.HTTP_UNAUTHORIZED,
        "problem",
        "the handshake is good; the application wants credentials besides the certificate",
        "send the token or header it asks for; on API Gateway a missing identity source of the authorizer gives "
        "401 too",
    ),
    (
        range(403, 404),
        b"missing authentication token",
        Code.HTTP_NO_ROUTE,
        "problem",
        "API Gateway (REST) has no such path and method",
        "check the path, the stage and the base path mapping in the URL",
    ),
    (
        range(403, 404),
        b"",
        Code.HTTP_FORBIDDEN,
        "problem",
        "the handshake is good, but the gateway refuses this client: its certificate is not registered, revoked, "
        "or issued by a CA that is not trusted, its client is suspended, or policy forbids the path",
        _TRY_NEW,
    ),
    (
        range(404, 405),
        b'"not found"',
        Code.HTTP_NO_ROUTE,
        "problem",
        "API Gateway answers Not Found: no such route, or its default endpoint, which is closed once mTLS is on",
        "use the custom domain's name (not ...execute-api...amazonaws.com), and check path and stage",
    ),
    (
        range(421, 422),
        b"",
        Code.HTTP_MISDIRECTED,
        "problem",
        "the server says that this connection is for another host (421 Misdirected Request)",
        "use the same host name for TLS (SNI) and in the Host header",
    ),
    (
        range(500, 600),
        b"",
        Code.HTTP_GATEWAY_FAILED,
        "problem",
        "the handshake is good; the server or its authorizer failed",
        "look in the gateway's log; on API Gateway a failing authorizer gives 500",
    ),
    (
        range(400, 500),
        b"",
        Code.HTTP_OTHER,
        "warning",
        "the handshake is good; the application does not like the request itself",
        "try the URL that your client really calls",
    ),
    (range(200, 400), b"", Code.HTTP_ACCEPTED, "ok", "the handshake is good and the server answers", None),
)

#: Answers that show that the client's certificate was not what stood in the way.
REFUSING = frozenset(
    {
        Code.HTTP_CERTIFICATE_ERROR,
        Code.HTTP_CERTIFICATE_REQUIRED,
        Code.HTTP_UNAUTHORIZED,
        Code.HTTP_FORBIDDEN,
        Code.HTTP_GATEWAY_FAILED,
    }
)


def ending_finding(seen: Observation, target: Target, *, presented: bool) -> Finding:
    """The last word of the connection: an HTTP answer, an alert, or neither."""
    if seen.ending is Ending.ANSWERED:
        return _answer(seen.response, seen.answer)
    if seen.ending is Ending.ALERT:
        return _alert(seen, presented=presented)
    code, message, fix = _ENDINGS[seen.ending]
    words = {"host": target.host, "port": target.port, "detail": printable(seen.detail)}
    return Finding(code, "problem", message.format(**words), fix.format(**words))


def _alert(seen: Observation, *, presented: bool) -> Finding:
    number = seen.alert or 0
    if number == _HANDSHAKE_FAILURE and seen.request is not None and not presented:
        number = 116
    if number in _ALERTS:
        code, message, fix = _ALERTS[number]
        return Finding(code, "problem", message, fix)
    if number == _HANDSHAKE_FAILURE and seen.request is None:
        message = "server and client have no cipher, curve or signature algorithm in common (handshake failure)"
        fix = "compare with openssl s_client -trace; an RSA-only or ECDSA-only client may need the other kind"
        return Finding(Code.TLS_FAILED, "problem", message, fix)
    message = f"the server broke off with TLS alert {number}"
    return Finding(Code.REFUSED_OTHER, "problem", message, "the reason is in the server's log")


def _answer(response: Response | None, raw: bytes) -> Finding:
    if response is None:
        message = f"the server answered something that is not HTTP/1.1: {shown(raw[:60].decode('latin-1'))}"
        return Finding(Code.HTTP_OTHER, "warning", message, "check the port: another protocol lives there")
    body = response.body.lower()
    for statuses, words, code, severity, meaning, fix in _ANSWERS:
        if response.status in statuses and words in body:
            said = f": {shown(response.body[:80].decode('utf-8', 'replace'))}" if severity != "ok" else ""
            return Finding(code, severity, f"HTTP {response.status}{said}: {meaning}", fix)
    return Finding(Code.HTTP_OTHER, "warning", f"HTTP {response.status}: an unusual status", None)
