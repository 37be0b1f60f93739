"""What `truststore/port.py` promises, held against every adapter; and what is the file's own."""

from pathlib import Path

import pytest

from handclasp.errors import TruststoreRejected
from handclasp.truststore.file import FileTruststore
from handclasp.truststore.memory import MemoryTruststore
from handclasp.truststore.port import Truststore


@pytest.fixture(params=["file", "memory"])
def truststore(request: pytest.FixtureRequest, tmp_path: Path) -> Truststore:
    return FileTruststore(tmp_path / "state" / "truststore.pem") if request.param == "file" else MemoryTruststore()


def test_there_is_nothing_before_the_first_publication(truststore: Truststore) -> None:
    assert truststore.read() is None


def test_a_published_bundle_replaces_the_one_before_it(truststore: Truststore) -> None:
    for bundle in (b"one", b"two", b"two"):
        truststore.publish(bundle)
        assert truststore.read() == bundle


def test_it_says_where_it_is(truststore: Truststore) -> None:
    assert truststore.location()


def test_publishing_the_same_bundle_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "truststore.pem"
    store = FileTruststore(path)
    store.publish(b"one")
    before = path.stat()
    store.publish(b"one")
    assert path.stat().st_ino == before.st_ino
    store.publish(b"two")
    assert path.stat().st_ino != before.st_ino


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = FileTruststore(tmp_path / "file" / "truststore.pem")
    with pytest.raises(TruststoreRejected, match="cannot be read: Not a directory"):
        blocked.read()
    with pytest.raises(TruststoreRejected, match="cannot be read: Not a directory"):
        blocked.publish(b"one")
    with pytest.raises(TruststoreRejected, match="cannot be written"):
        FileTruststore(Path("/proc/handclasp/truststore.pem")).publish(b"one")
