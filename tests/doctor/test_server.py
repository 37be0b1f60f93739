"""The way to the server, and the server's own certificate. Every server here is real, on 127.0.0.1."""

import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.errors import InvalidInput
from handclasp.pki.profile import CLIENT, SERVER
from handclasp.verify.doctor import Code

from .conftest import LOCAL, NOW, Pki, Servers, answer, examine, problems, root


def test_a_good_server_is_trusted(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, asks=ssl.CERT_REQUIRED, trusts=pki.root.pem)
    found = examine(pki.client, ca=pki.root.pem, url=server.url)
    assert not problems(found)
    assert {Code.SERVER_TRUSTED, Code.HANDSHAKE, Code.HTTP_ACCEPTED} <= set(found)


def test_a_name_mismatch_lists_the_names_the_certificate_has(pki: Pki, servers: Servers) -> None:
    names = [x509.DNSName("api.example.com"), x509.DNSName("*.example.org")]
    pair = pki.intermediate.issue("api.example.com", SERVER, names=names)
    found = examine(ca=pki.root.pem, url=servers.tls(pair).url)
    assert "api.example.com, *.example.org" in found[Code.SERVER_NAME_MISMATCH].message


def test_a_common_name_alone_does_not_count(pki: Pki, servers: Servers) -> None:
    found = examine(ca=pki.root.pem, url=servers.tls(pki.intermediate.issue("localhost", SERVER)).url)
    assert "only the common name localhost" in found[Code.SERVER_NAME_MISMATCH].message


def test_an_address_is_compared_with_the_addresses(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server)
    found = examine(ca=pki.root.pem, url=server.url.replace("localhost", "127.0.0.1"))
    assert Code.SERVER_TRUSTED in found


def test_a_server_of_another_root_is_not_trusted(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server)
    found = examine(ca=pki.stranger.pem, url=server.url)
    assert "CN=Test Root; the CA file holds CN=Stranger Root" in found[Code.SERVER_NOT_TRUSTED].message


def test_a_server_that_sends_no_intermediate_has_an_incomplete_chain(pki: Pki, servers: Servers) -> None:
    found = examine(ca=pki.root.pem, url=servers.tls(pki.server, chain=pki.server.cert).url)
    assert "issued by CN=Test Intermediate" in found[Code.SERVER_CHAIN_INCOMPLETE].message
    assert "another CA" in str(found[Code.SERVER_CHAIN_INCOMPLETE].fix)


def test_an_incomplete_chain_is_sure_when_the_client_has_the_missing_link(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, chain=pki.server.cert)
    found = examine(pki.client, ca=pki.root.pem, url=server.url)
    assert "in your own certificate file" in found[Code.SERVER_CHAIN_INCOMPLETE].message


def test_a_publicly_trusted_server_needs_no_ca_file(
    pki: Pki, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "public.pem").write_bytes(pki.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
    found = examine(ca=pki.stranger.pem, url=servers.tls(pki.server).url)
    assert "leave the CA file out" in str(found[Code.SERVER_NOT_TRUSTED].fix)


def test_without_a_ca_file_the_machines_cas_judge(pki: Pki, servers: Servers) -> None:
    found = examine(url=servers.tls(pki.server).url)
    assert "pass the CA file" in str(found[Code.SERVER_NOT_TRUSTED].fix)


def test_a_ca_made_again_under_its_old_name_does_not_vouch_for_the_server(pki: Pki, servers: Servers) -> None:
    found = examine(ca=root("Test Root").pem, url=servers.tls(pki.server).url)
    assert Code.SERVER_NOT_TRUSTED in problems(found)


def test_an_expired_server_certificate_is_said_to_be_expired(pki: Pki, servers: Servers) -> None:
    old = pki.root.issue("localhost", SERVER, names=LOCAL, at=NOW - timedelta(days=40), lifetime=timedelta(days=30))
    found = examine(ca=pki.root.pem, url=servers.tls(old).url)
    assert "10 days" in found[Code.SERVER_EXPIRED].message


def test_a_client_certificate_does_not_make_a_server(pki: Pki, servers: Servers) -> None:
    pair = pki.intermediate.issue("localhost", CLIENT, names=LOCAL)
    assert Code.SERVER_WRONG_USAGE in examine(ca=pki.root.pem, url=servers.tls(pair).url)


def test_a_ca_file_with_only_an_intermediate_meets_openssls_refusal(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server)
    found = examine(pki.client, ca=pki.intermediate.pem, url=server.url)
    assert Code.SERVER_REFUSED_BY_OPENSSL in found
    assert Code.CA_FILE_WITHOUT_ROOT in found


def test_an_old_tls_version_is_named(pki: Pki, servers: Servers) -> None:
    server = servers.tls(pki.server, newest=ssl.TLSVersion.TLSv1_1)
    found = examine(ca=pki.root.pem, url=server.url)
    assert "TLSv1.1" in found[Code.TLS_TOO_OLD].message


def test_plain_http_is_recognised(servers: Servers) -> None:
    found = examine(url=servers.says(answer("400 Bad Request")).url)
    assert "HTTP/1.1 400 Bad Request" in found[Code.PLAIN_HTTP].message


def test_another_protocol_is_not_tls(servers: Servers) -> None:
    assert Code.NOT_TLS in examine(url=servers.says(b"220 mail.example.com ESMTP\r\n").url)


def test_a_connection_cut_in_the_handshake_is_said_so(servers: Servers) -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(65_536)

    assert Code.HANDSHAKE_CUT in examine(url=servers.raw(hang_up).url)


def test_a_closed_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert Code.PORT_CLOSED in examine(url=f"https://127.0.0.1:{port}/")


def test_a_host_that_does_not_resolve_is_said_so() -> None:
    assert Code.HOST_UNRESOLVED in examine(url="https://no-such-host.invalid/")


def test_a_server_that_says_nothing_times_out(servers: Servers) -> None:
    done = threading.Event()
    server = servers.raw(lambda _: assert_waited(done))
    try:
        found = examine(url=server.url, timeout=0.2)
    finally:
        done.set()
    assert "ClientHello" in found[Code.TIMED_OUT].message


def assert_waited(done: threading.Event) -> None:
    assert done.wait(5)


def test_packets_that_are_dropped_time_out() -> None:
    # Linux drops the SYN when the backlog is full.
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
    ):
        found = examine(url=f"https://127.0.0.1:{full.getsockname()[1]}/", timeout=0.2)
    assert "does not answer at all" in found[Code.TIMED_OUT].message


def test_an_http_url_is_told_to_be_https(pki: Pki) -> None:
    found = examine(pki.client, ca=pki.root.pem, url="http://api.example.com/x")
    assert problems(found) == {Code.URL_NOT_HTTPS}
    assert Code.PATH_VALID in found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://x/",
        "https://",
        "https://a..b/",
        "https://x:99999/",
        "https://x:0/",
        "https://[::1/",
        "https://" + "x" * 70 + "/",
        "https://a b/",
        "https://.x/",
        "https://x\x00y/",
        "\x1b[2J",
    ],
)
def test_a_url_that_is_none_is_invalid_input(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        examine(url=url)
    assert "\x1b" not in str(caught.value)


def test_a_url_cannot_smuggle_a_second_request(pki: Pki, servers: Servers) -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(65_536))
        connection.sendall(answer())

    server = servers.raw(listen)
    examine(url=server.url + "?a b\r\nX-Evil: 1 \u00e9")
    assert heard[-1].startswith(b"GET /health?a%20bX-Evil:%201%20%C3%A9 HTTP/1.1\r\nHost: localhost:")
