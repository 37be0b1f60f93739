"""What the server thinks of the client: asked for or not, alerts, silence, and HTTP answers."""

import select
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handclasp.verify import probe_tls
from handclasp.verify.credential import Credential
from handclasp.verify.doctor import Code
from handclasp.verify.probe_tls import Ending, observe
from handclasp.verify.target import target
from handclasp.verify.tls_messages import TLS_1_2, certificate_request

from .conftest import FORBIDDEN, NOW, Pki, Servers, answer, examine, problems

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_server_that_does_not_ask_has_mutual_tls_off(version: ssl.TLSVersion, pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, version=version)
    found = examine(pki.client, ca=pki.root.pem, url=server.url)
    assert problems(found) == {Code.CERTIFICATE_NOT_REQUESTED}


@VERSIONS
def test_sending_none_where_one_is_required_is_said_so(version: ssl.TLSVersion, pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem, version=version)
    found = examine(ca=pki.root.pem, url=server.url)
    assert problems(found) == {Code.CERTIFICATE_NOT_SENT, Code.REFUSED_NONE_SENT}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_server_that_asks_for_other_cas_is_quoted(version: str, pki: Pki, servers: Servers) -> None:
    url = servers.naming_its_cas(pki.server, pki.stranger.pem, version)
    found = examine(pki.client, ca=pki.root.pem, url=url)
    assert "(CN=Stranger Root)" in found[Code.CA_NOT_ACCEPTABLE].message
    assert problems(found) == {Code.CA_NOT_ACCEPTABLE, Code.REFUSED_UNKNOWN_CA}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_an_acceptable_root_above_the_clients_intermediate_is_no_fault(
    version: str, pki: Pki, servers: Servers
) -> None:
    url = servers.naming_its_cas(pki.server, pki.root.pem, version)
    assert not problems(examine(pki.client, ca=pki.root.pem, url=url))


def test_names_that_are_nonsense_are_left_out() -> None:
    nonsense = bytes.fromhex("0d000012 01 01 0002 0403 000a 0008 3006deadbeef0000".replace(" ", ""))
    assert certificate_request(nonsense, TLS_1_2).acceptable_cas == ()


@VERSIONS
def test_a_chain_without_its_intermediate_meets_unknown_ca(version: ssl.TLSVersion, pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem, version=version)
    found = examine(pki.client, cert=pki.client.cert, ca=pki.root.pem, url=server.url)
    assert {Code.INTERMEDIATE_MISSING, Code.REFUSED_UNKNOWN_CA} <= problems(found)


def test_a_suspicion_is_only_a_warning_when_the_server_lets_the_client_in(pki: Pki, servers: Servers) -> None:
    trusts = pki.root.pem + pki.intermediate.pem
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=trusts)
    found = examine(pki.client, cert=pki.client.cert, ca=pki.root.pem, url=server.url)
    assert found[Code.INTERMEDIATE_MISSING].severity == "warning"
    assert not problems(found)


@VERSIONS
def test_an_expired_client_meets_the_alert(version: ssl.TLSVersion, pki: Pki, servers: Servers) -> None:
    old = pki.root.issue("Old-Client", at=NOW - timedelta(days=1), lifetime=timedelta(hours=1))
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem, version=version)
    found = examine(old, ca=pki.root.pem, url=server.url)
    assert {Code.EXPIRED, Code.REFUSED_EXPIRED} <= problems(found)


def test_a_certificate_for_servers_is_refused_as_unsupported(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem)
    found = examine(pki.server, ca=pki.root.pem, url=server.url)
    assert {Code.WRONG_USAGE, Code.REFUSED_UNSUPPORTED} <= problems(found)


@VERSIONS
def test_a_revoked_certificate_meets_the_alert(version: ssl.TLSVersion, pki: Pki, servers: Servers) -> None:
    ca = pki.intermediate.authority
    revoked = x509.RevokedCertificateBuilder(pki.client.certificate.serial_number, NOW - timedelta(hours=1))
    crl = (
        x509.CertificateRevocationListBuilder(
            ca.name, NOW - timedelta(hours=1), NOW + timedelta(days=1), [], [revoked.build()]
        )
        .sign(ca.key, ca.signature_hash)
        .public_bytes(Encoding.PEM)
    )
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem, version=version, crl=crl)
    found = examine(pki.client, ca=pki.root.pem, url=server.url)
    assert problems(found) == {Code.REFUSED_REVOKED}


ALERTS = {
    42: Code.REFUSED_BAD_CERTIFICATE,
    43: Code.REFUSED_UNSUPPORTED,
    44: Code.REFUSED_REVOKED,
    45: Code.REFUSED_EXPIRED,
    46: Code.REFUSED_UNKNOWN,
    48: Code.REFUSED_UNKNOWN_CA,
    49: Code.REFUSED_ACCESS,
    51: Code.REFUSED_BAD_CERTIFICATE,
    40: Code.TLS_FAILED,
    70: Code.TLS_TOO_OLD,
    80: Code.REFUSED_OTHER,
    112: Code.REFUSED_OTHER,
    116: Code.REFUSED_NONE_SENT,
}


@pytest.mark.parametrize("number", ALERTS)
def test_every_alert_has_its_explanation(number: int, servers: Servers) -> None:
    server = servers.says(bytes([21, 3, 3, 0, 2, 2, number]))
    assert problems(examine(url=server.url)) == {ALERTS[number]}


@pytest.mark.parametrize("how", ["eof", "reset"])
def test_a_server_that_hangs_up_after_the_handshake_refuses_silently(how: str, pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_OPTIONAL, trusts=pki.root.pem, hang_up=how)
    assert Code.REFUSED_SILENTLY in examine(pki.client, ca=pki.root.pem, url=server.url)


def test_a_silent_refusal_in_tls_1_3_is_asked_again_in_1_2(pki: Pki, servers: Servers) -> None:
    silent = servers.tls(
        pki.server, asks=ssl.CERT_OPTIONAL, trusts=pki.root.pem, version=ssl.TLSVersion.TLSv1_3, hang_up="eof"
    )
    strict = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem, version=ssl.TLSVersion.TLSv1_2)
    turns = [silent.port, strict.port]

    def relay(connection: socket.socket) -> None:
        """The first connection goes to one server and the next to the other, as a race would have it."""
        with socket.create_connection(("127.0.0.1", turns.pop(0))) as onward:
            pump(connection, onward)

    seen = observe(target(servers.raw(relay).url), None, 5)
    assert (seen.ending, seen.alert) == (Ending.ALERT, 40)


def pump(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65_536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


ANSWERS = [
    ("403 Forbidden", FORBIDDEN, Code.HTTP_FORBIDDEN, "problem"),
    ("403 Forbidden", b'{"message":"Missing Authentication Token"}', Code.HTTP_NO_ROUTE, "problem"),
    (
        "400 Bad Request",
        b"<title>400 The SSL certificate error</title>",
        Code.HTTP_CERTIFICATE_ERROR,
        "problem",
    ),
    (
        "400 Bad Request",
        b"<title>400 No required SSL certificate was sent</title>",
        Code.HTTP_CERTIFICATE_REQUIRED,
        "problem",
    ),
    ("495 SSL Certificate Error", b"", Code.HTTP_CERTIFICATE_ERROR, "problem"),
    ("496 SSL Certificate Required", b"", Code.HTTP_CERTIFICATE_REQUIRED, "problem"),
    ("401 Unauthorized", b"", Code.HTTP_UNAUTHORIZED, "problem"),
    ("404 Not Found", b'{"message":"Not Found"}', Code.HTTP_NO_ROUTE, "problem"),
    ("404 Not Found", b"no such page", Code.HTTP_OTHER, "warning"),
    ("421 Misdirected Request", b"", Code.HTTP_MISDIRECTED, "problem"),
    ("503 Service Unavailable", b"", Code.HTTP_GATEWAY_FAILED, "problem"),
    ("204 No Content", b"", Code.HTTP_ACCEPTED, "ok"),
]


@pytest.mark.parametrize(("status", "body", "code", "severity"), ANSWERS)
def test_every_answer_has_its_explanation(
    status: str, body: bytes, code: Code, severity: str, pki: Pki, servers: Servers
) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_OPTIONAL, trusts=pki.root.pem, response=answer(status, body))
    found = examine(pki.client, ca=pki.root.pem, url=server.url)
    assert found[code].severity == severity
    assert problems(found) == ({code} if severity == "problem" else set())


def test_an_answer_that_is_not_http_is_shown_harmless(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, response=b"\x1b[2J\x00\x00SETTINGS")
    assert "\x1b" not in examine(ca=pki.root.pem, url=server.url)[Code.HTTP_OTHER].message


def test_a_chunked_answer_is_read(pki: Pki, servers: Servers) -> None:
    chunked = b'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{"message":"Not Found"}\r\n0\r\n\r\n'
    assert Code.HTTP_NO_ROUTE in examine(ca=pki.root.pem, url=servers.tls(pki.server, response=chunked).url)


def test_a_pair_that_does_not_match_is_not_sent(pki: Pki, servers: Servers) -> None:
    server = servers.tls(
        pki.server, asks=ssl.CERT_OPTIONAL, trusts=pki.root.pem, response=answer("403 Forbidden", FORBIDDEN)
    )
    found = examine(pki.client, key=pki.server.key, ca=pki.root.pem, url=server.url)
    assert problems(found) == {Code.KEY_MISMATCH, Code.CERTIFICATE_NOT_SENT, Code.HTTP_FORBIDDEN}


def examine_with_clocks(pki: Pki, servers: Servers, here: datetime, there: datetime) -> dict[Code, str]:
    response = answer("403 Forbidden", FORBIDDEN, date=there)
    server = servers.tls(pki.server, asks=ssl.CERT_OPTIONAL, trusts=pki.root.pem, response=response)
    found = examine(pki.client, ca=pki.root.pem, url=server.url, now=here)
    return {code: finding.message for code, finding in found.items()}


def test_clocks_that_agree_are_said_to(pki: Pki, servers: Servers) -> None:
    now = datetime.now(UTC)
    assert Code.CLOCK_RIGHT in examine_with_clocks(pki, servers, now, now)


def test_a_clock_that_is_off_is_measured(pki: Pki, servers: Servers) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    found = examine_with_clocks(pki, servers, now - timedelta(minutes=5, seconds=30), now)
    assert "5 minutes" in found[Code.CLOCK_WRONG]
    assert "behind the server's" in found[Code.CLOCK_WRONG]


def test_an_expiry_that_only_this_clock_sees_is_the_clocks_fault(pki: Pki, servers: Servers) -> None:
    found = examine_with_clocks(pki, servers, NOW + timedelta(days=100), NOW)
    assert "by this machine's clock only" in found[Code.EXPIRED]
    assert "ahead of the server's" in found[Code.CLOCK_WRONG]


def test_an_expiry_that_only_the_server_sees_is_foretold(pki: Pki, servers: Servers) -> None:
    found = examine_with_clocks(pki, servers, NOW, NOW + timedelta(days=100))
    assert "by the server's clock only" in found[Code.EXPIRED]


def test_an_expiry_both_clocks_see_is_real(pki: Pki, servers: Servers) -> None:
    later = NOW + timedelta(days=100)
    assert "the server's clock agrees" in examine_with_clocks(pki, servers, later, later)[Code.EXPIRED]


def test_not_yet_valid_by_a_slow_clock_is_the_clocks_fault(pki: Pki, servers: Servers) -> None:
    found = examine_with_clocks(pki, servers, NOW - timedelta(hours=2), NOW)
    assert "by this machine's clock only" in found[Code.NOT_YET_VALID]


def test_without_the_private_callback_nothing_is_concluded_from_silence(
    pki: Pki, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(probe_tls._Tap):
        def _note(self, *_: object) -> None:
            pass

    monkeypatch.setattr(probe_tls, "_Tap", Deaf)
    found = examine(pki.client, ca=pki.root.pem + pki.intermediate.pem, url=servers.tls(pki.server).url)
    assert not problems(found)


def test_a_credential_does_not_print_its_key(pki: Pki) -> None:
    assert "key=" not in repr(Credential((pki.client.certificate,), pki.client.private))
