"""Why does this handshake fail? The client's files, the server, and what each thinks of the other, in one list.

First the files are read, then the endpoint is looked at once, with the client's certificate if there is one
that can be presented, and then everything is judged by both clocks. Findings come in the order in which a
handshake meets them: files, clock, connection, the server's certificate, the client's, the server's answer.
"""

import time
from dataclasses import replace
from datetime import datetime, timedelta

from handclasp.pki.pem import certificate_pem
from handclasp.verify import certificate_checks
from handclasp.verify.certificate_checks import Clocks
from handclasp.verify.client_path import acceptable, client_findings
from handclasp.verify.finding import Code, Finding, Severity
from handclasp.verify.material import Material, read_material, readable
from handclasp.verify.probe_tls import Ending, Observation, observe, verdict
from handclasp.verify.refusals import REFUSING, ending_finding
from handclasp.verify.server_certificate import Seen, server_findings
from handclasp.verify.target import Target, target

__all__ = ["Code", "Finding", "Severity", "diagnose"]

_MODERN = frozenset({"TLSv1.2", "TLSv1.3"})
#: Suspicions about the client's chain that a server disproves by letting the client in.
_DISPROVABLE = frozenset({Code.INTERMEDIATE_MISSING, Code.NOT_ISSUED_BY_CA, Code.CA_NOT_ACCEPTABLE})


def diagnose(
    *,
    cert: bytes | None,
    key: bytes | None,
    cacert: bytes | None,
    url: str | None,
    now: datetime,
    key_passphrase: bytes | None = None,
    timeout: float = 5.0,
) -> list[Finding]:
    """Everything found, good and bad. `timeout` bounds each step of talking to the endpoint.

    `cacert` is both what the server's certificate must lead to (without it, the CAs of this machine) and where
    the client's own path should end. The endpoint receives a GET of the URL. Raises InvalidInput for a URL
    that is none; what is wrong with files and endpoints is a finding, never an exception.
    """
    started = time.monotonic()
    endpoint = None if url is None else target(url)
    material = read_material(cert, key, cacert, key_passphrase)
    if endpoint is None:
        return [*material.findings, *client_findings(material.chain, material.anchors, Clocks(now))]
    if endpoint.scheme != "https":
        fix = f"use https://{endpoint.host}{endpoint.path}, with the port of the TLS listener if it is not 443"
        message = "the URL is http://: without TLS there is no certificate on either side"
        not_https = Finding(Code.URL_NOT_HTTPS, "problem", message, fix)
        offline = client_findings(material.chain, material.anchors, Clocks(now))
        return [*material.findings, not_https, *offline]
    seen = observe(endpoint, material.credential, timeout)
    clocks = Clocks(now, _ahead(seen, now, started))
    last_word = ending_finding(seen, endpoint, presented=material.credential is not None)
    about_client = [
        *client_findings(material.chain, material.anchors, clocks),
        *acceptable(material.chain, material.anchors, seen.request),
    ]
    if _let_in(seen, material, last_word):
        about_client = [_doubted(finding) for finding in about_client]
    return [
        *material.findings,
        *certificate_checks.clock(clocks),
        *_handshake(seen),
        *_about_server(seen, material, endpoint, clocks, timeout),
        *about_client,
        *_presented(seen, material),
        last_word,
    ]


def _ahead(seen: Observation, now: datetime, started: float) -> timedelta | None:
    """How far the server's clock is ahead of this machine's, by the Date header of its answer."""
    if seen.response is None or seen.response.date is None:
        return None
    return seen.response.date - (now + timedelta(seconds=seen.answered_at - started))


def _handshake(seen: Observation) -> list[Finding]:
    if seen.version is None:
        return []
    if seen.version not in _MODERN:
        message = f"the server speaks {seen.version} and nothing newer; clients refuse it since 2021 (RFC 8996)"
        fix = "switch TLS 1.2 and 1.3 on in the server"
        return [Finding(Code.TLS_TOO_OLD, "problem", message, fix)]
    return [Finding(Code.HANDSHAKE, "ok", f"the server speaks {seen.version}")]


def _about_server(
    seen: Observation, material: Material, endpoint: Target, clocks: Clocks, timeout: float
) -> list[Finding]:
    chain = readable(seen.chain)
    if not chain:
        return []
    anchors = material.anchors
    pem = certificate_pem(*anchors).decode("ascii") if anchors else None
    objection = verdict(endpoint, pem, timeout)
    public = bool(objection and anchors) and verdict(endpoint, None, timeout) is None
    view = Seen(chain, anchors, material.chain, objection, public)
    return server_findings(view, endpoint, clocks)


def _presented(seen: Observation, material: Material) -> list[Finding]:
    """Was a certificate asked for, and was one sent?"""
    if seen.request is not None and material.credential is None:
        message = "the server asks for a client certificate and none was sent"
        fix = "present a certificate with its key; if both were given, see what is said about them above"
        severity: Severity = "problem" if material.findings or seen.ending is not Ending.ANSWERED else "warning"
        return [Finding(Code.CERTIFICATE_NOT_SENT, severity, message, fix)]
    if seen.request is None and seen.messages_seen and seen.version is not None:
        message = "the server does not ask for a client certificate: this is plain TLS, not mutual TLS"
        fix = (
            "switch mutual TLS on at this listener (nginx ssl_verify_client, Envoy's validation context, API "
            "Gateway's mutualTlsAuthentication), or use the host name it is on for; a TLS-ending proxy or CDN "
            "in front asks for none either"
        )
        return [Finding(Code.CERTIFICATE_NOT_REQUESTED, "problem", message, fix)]
    return []


def _let_in(seen: Observation, material: Material, last_word: Finding) -> bool:
    """The server asked for a certificate, got ours, and answered as to a friend."""
    asked_and_sent = seen.request is not None and material.credential is not None
    return asked_and_sent and seen.ending is Ending.ANSWERED and last_word.code not in REFUSING


def _doubted(finding: Finding) -> Finding:
    if finding.code not in _DISPROVABLE or finding.severity != "problem":
        return finding
    message = f"{finding.message} (this server lets the client in all the same)"
    return replace(finding, severity="warning", message=message)
