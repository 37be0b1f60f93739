"""What a server sends is a stranger's: it may be anything, and nothing of it may raise."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handclasp.verify import credential
from handclasp.verify.credential import Credential, refusal
from handclasp.verify.finding import duration_text, printable
from handclasp.verify.material import readable
from handclasp.verify.probe_http import response_of
from handclasp.verify.tls_messages import TLS_1_2, TLS_1_3, certificate_request, certificates

from .conftest import Pki

VERSIONS = st.sampled_from([0x0301, TLS_1_2, TLS_1_3])


@given(message=st.binary(max_size=200), version=VERSIONS)
def test_any_certificate_request_is_read_without_raising(message: bytes, version: int) -> None:
    assert certificate_request(message, version).acceptable_cas == ()


@given(name=st.binary(max_size=60))
def test_any_name_in_a_certificate_request_is_read_without_raising(name: bytes) -> None:
    entry = len(name).to_bytes(2, "big") + name
    message = bytes(4) + b"\x00" + b"\x00\x00" + len(entry).to_bytes(2, "big") + entry
    assert len(certificate_request(message, TLS_1_2).acceptable_cas) <= 1


@given(message=st.binary(max_size=200), version=VERSIONS)
def test_any_certificate_message_is_read_without_raising(message: bytes, version: int) -> None:
    assert readable(certificates(message, version)) == ()


@given(junk=st.binary(max_size=200), start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 "]))
def test_any_answer_is_read_without_raising(junk: bytes, start: bytes) -> None:
    response = response_of(start + junk)
    assert response is None or isinstance(response.status, int)


def test_a_certificate_damaged_on_the_wire_is_left_out(pki: Pki) -> None:
    der = os.urandom(100)
    assert readable([der]) == ()


def test_long_text_is_cut() -> None:
    assert printable("x" * 500) == "x" * 120 + "..."


def test_no_time_at_all_is_zero_seconds() -> None:
    assert duration_text(timedelta(0)) == "0 seconds"


def test_without_memory_files_the_credential_is_lent_as_a_private_file_and_removed(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(credential, "_memory_file", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with credential._lent(b"secret") as path:
        lent = Path(path)
        assert (lent.stat().st_mode & 0o777, lent.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert refusal(Credential((pki.client.certificate,), pki.client.private)) is None
    assert list(tmp_path.iterdir()) == []
