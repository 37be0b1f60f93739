"""Bad input of each kind: one error line, the right exit code, and nothing written."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.cli.terminal import Terminal, one_error_line

#: What OpenSSL makes willingly, and we do not sign.
_WEAK = {
    "RSA-1024": ("-newkey rsa:1024 -nodes", "2048 to"),
    "RSA exponent 3": ("-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3 -nodes", "exponent is 3"),
    "MD5": ("-newkey rsa:2048 -md5 -nodes", "MD5"),
    "SHA-1": ("-newkey rsa:2048 -sha1 -nodes", "SHA1"),
    "P-521": ("-newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes", "P-256 and P-384"),
    "secp256k1": ("-newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -nodes", "P-256 and P-384"),
}


def _csr(folder: Path, options: str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes") -> bytes:
    command = f"openssl req -new {options} -keyout /dev/null -subj /CN=x".split()
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


def _refused(terminal: Terminal, code: int, name: str = "acme", *more: str) -> str:
    before = terminal.snapshot()
    revision = terminal("status --json").json["revision"]
    said = one_error_line(
        terminal("client add --environment prod --application nextjs --out out", *more, "--", name), code
    )
    assert terminal("status --json").json["revision"] == revision
    assert terminal.snapshot() == before
    assert not (terminal.folder / "out").exists()
    return said


@pytest.mark.parametrize("kind", _WEAK)
def test_a_weak_csr_is_refused(established: Terminal, kind: str) -> None:
    options, said = _WEAK[kind]
    established.write("bad.csr", _csr(established.folder, options))
    assert said in _refused(established, 2, "acme", "--csr", "bad.csr")


def test_a_curve_written_out_becomes_the_named_one_so_its_key_has_one_identity(established: Terminal) -> None:
    """P-256 by its parameters (RFC 5480 2.1.1 forbids it in certificates) is the same key as P-256 by name."""
    options = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit -nodes"
    established.write("explicit.csr", _csr(established.folder, options))
    assert established.add("acme", "--csr", "explicit.csr", "--out", "out").code == 0
    command = ["openssl", "x509", "-in", "out/client.pem", "-noout", "-text"]
    text = subprocess.run(command, cwd=established.folder, check=True, capture_output=True).stdout
    assert b"ASN1 OID: prime256v1" in text


def _bad_signature(csr: bytes) -> bytes:
    der = bytearray(x509.load_pem_x509_csr(csr).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return bytes(der)


def _exponent_one(csr: bytes) -> bytes:
    """65537 is 01 00 01 in DER: 1 with two zeros after it is no INTEGER, so the zeros go before."""
    der = x509.load_pem_x509_csr(csr).public_bytes(Encoding.DER)
    assert der.count(b"\x02\x03\x01\x00\x01") == 1
    return der.replace(b"\x02\x03\x01\x00\x01", b"\x02\x03\x00\x00\x01")


_FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "binary": lambda _: bytes(range(256)) * 16,
    "10 MB of PEM": lambda csr: csr * (10_000_000 // len(csr)),
    "10,000 blocks": lambda _: b"-----BEGIN CERTIFICATE REQUEST-----\n" * 10_000,
    "truncated": lambda csr: csr[: len(csr) // 2],
    "damaged": lambda csr: csr.replace(b"M", b"!"),
    "a certificate": lambda _: b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "a private key": lambda _: b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    "another's signature": _bad_signature,
    "UTF-16": lambda csr: csr.decode().encode("utf-16"),
}


@pytest.mark.parametrize("kind", _FILES)
def test_a_file_that_is_no_csr_is_refused(established: Terminal, kind: str) -> None:
    established.write("bad.csr", _FILES[kind](_csr(established.folder)))
    said = _refused(established, 2, "acme", "--csr", "bad.csr")
    assert "CSR" in said or "signature" in said


def test_rsa_with_exponent_one_is_refused(established: Terminal) -> None:
    established.write("bad.csr", _exponent_one(_csr(established.folder, "-newkey rsa:2048 -nodes")))
    _refused(established, 2, "acme", "--csr", "bad.csr")


@pytest.mark.parametrize("path", ["missing.csr", ".", "missing\nfolder/x", "/dev/zero", "root.pass/x"])
def test_a_file_that_cannot_be_read_is_named(established: Terminal, path: str) -> None:
    assert "CSR" in _refused(established, 2, "acme", "--csr", path)


@pytest.mark.parametrize(
    "name",
    ["a/b", "a\nb", "a\0b", "..", "a..b", "", ".hidden", "-x", "асме", "acme\u202e", "a b", "x" * 65, "a\udcffb"],
)
def test_a_hostile_client_name_is_refused(established: Terminal, name: str) -> None:
    assert "client name" in _refused(established, 2, name)


@pytest.mark.parametrize("days", ["0", "-1", "3651", "99999999999999999999", "1.5", "ten"])
def test_days_out_of_range_are_refused(established: Terminal, days: str) -> None:
    _refused(established, 2, "acme", "--days", days)


@pytest.mark.parametrize(
    "options",
    [
        ["--environment", "PROD/../x"],
        ["--application", "next js"],
        ["--common-name", "x" * 65],
        ["--common-name", "a\nb"],
        ["--owner", "a\x1b[31mb"],
        ["--contact", "x" * 201],
        ["--key-algorithm", "rsa1024"],
        ["--pkcs12-passphrase-file", "missing"],
        ["--no-such-option"],
    ],
)
def test_an_option_that_cannot_be_used_is_refused(established: Terminal, options: list[str]) -> None:
    _refused(established, 2, "acme", *options)


def test_options_that_contradict_a_csr_are_refused(established: Terminal) -> None:
    established.write("good.csr", _csr(established.folder))
    _refused(established, 2, "acme", "--csr", "good.csr", "--key-algorithm", "p256")
    _refused(established, 2, "acme", "--csr", "good.csr", "--pkcs12-passphrase-file", "root.pass")


def test_a_public_key_of_another_client_is_refused(established: Terminal) -> None:
    established.write("good.csr", _csr(established.folder))
    assert established.add("first", "--csr", "good.csr").code == 0
    before = established.snapshot()
    assert "belongs to client first" in one_error_line(established.add("second", "--csr", "good.csr"), 2)
    assert established.snapshot() == before


def test_a_name_that_is_taken_is_refused_in_any_case_of_letters(established: Terminal) -> None:
    established.add("acme")
    before = established.snapshot()
    assert "registered already" in one_error_line(established.add("ACME"), 1)
    assert established.snapshot() == before


def test_an_out_folder_that_holds_somebody_s_files_is_refused_before_anything_is_issued(established: Terminal) -> None:
    folder = established.folder / "mine"
    folder.mkdir()
    (folder / "client.key").write_text("precious")
    before = established.snapshot()
    assert "not put there by a delivery" in one_error_line(established.add("acme", "--out", "mine"), 1)
    assert established.snapshot() == before
    assert (folder / "client.key").read_text() == "precious"


@pytest.mark.parametrize(
    "line",
    [
        "client show nobody",
        "client renew nobody",
        "client revoke nobody",
        "client suspend nobody",
        "client resume nobody",
        "client export nobody --out out",
        "client revoke acme --serial 1234",
        "ca show ffffffffffffffffffffffffffffffffffff",
    ],
)
def test_what_is_not_registered_is_exit_1(established: Terminal, line: str) -> None:
    established.add("acme")
    before = established.snapshot()
    one_error_line(established(line), 1)
    assert established.snapshot() == before


@pytest.mark.parametrize(
    "line",
    [
        "client revoke acme --serial zz",
        "client revoke acme --serial -12",
        "client revoke acme --serial ''",
        f"client revoke acme --serial {'a' * 81}",
        "client revoke acme --reason because",
        "client show a/b",
        "client lsit",
        "client list extra",
        "audit list --after -1",
        "audit list --client a/b",
        "truststore check missing.pem",
        "--state '' client list",
        "--config missing.toml client list",
        "doctor",
        "completion tcsh",
    ],
)
def test_what_cannot_be_meant_is_exit_2(established: Terminal, line: str) -> None:
    established.add("acme")
    before = established.snapshot()
    one_error_line(established(line), 2)
    assert established.snapshot() == before


@pytest.mark.parametrize(
    "options",
    [
        "--root-days 0",
        "--root-days -5",
        "--intermediate-days 99999999999",
        "--root-algorithm dsa",
        "--preset other",
        f"--root-name {'x' * 65}",
        "--organization ' x'",
        "--intermediate-name ''",
    ],
)
def test_an_init_that_cannot_be_meant_makes_nothing(terminal: Terminal, options: str) -> None:
    terminal.write("root.pass", "secret\n")
    one_error_line(terminal(f"init --root-passphrase-file root.pass {options}"), 2)
    assert not terminal.state.exists()


@pytest.mark.parametrize(
    "content", ["= nothing", "[authority]\nclient_days = -1\n", "unknown = 1\n", 'authority = "x"\n', "\xff"]
)
def test_a_configuration_that_is_wrong_is_one_line(established: Terminal, content: str) -> None:
    (established.state / "handclasp.toml").write_bytes(content.encode("latin-1"))
    one_error_line(established("client list"), 2)


def test_a_registry_that_is_no_database_is_one_line(established: Terminal) -> None:
    (established.state / "registry.db").write_bytes(b"not a database at all, but long enough to be read" * 100)
    assert "damaged" in one_error_line(established("client list"), 1)
