"""What `custody/port.py` promises, held against every adapter."""

from pathlib import Path

import pytest

from handclasp.custody.file import FileCustody
from handclasp.custody.memory import MemoryCustody
from handclasp.custody.port import Custody
from handclasp.errors import KeyUnavailable, PassphraseMissing
from handclasp.pki.keys import KeyAlgorithm, open_sealed, seal
from tests import making


@pytest.fixture(params=["file", "memory"])
def custody(request: pytest.FixtureRequest, tmp_path: Path) -> Custody:
    return FileCustody(tmp_path / "state" / "pki") if request.param == "file" else MemoryCustody()


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P256, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519])
def test_a_kept_key_signs(custody: Custody, algorithm: KeyAlgorithm, passphrase: bytes | None) -> None:
    custody.keep("root", making.key(algorithm), passphrase)
    assert custody.signer("root", passphrase).public_key() == making.key(algorithm).public_key()


def test_keys_are_kept_apart_by_name(custody: Custody) -> None:
    custody.keep("root", making.key(number=1))
    custody.keep("intermediate", making.key(number=2))
    assert custody.signer("root").public_key() == making.key(number=1).public_key()
    assert custody.signer("intermediate").public_key() == making.key(number=2).public_key()


def test_a_name_that_is_not_there_is_unavailable(custody: Custody) -> None:
    with pytest.raises(KeyUnavailable, match="no key"):
        custody.signer("nobody")


@pytest.mark.parametrize("passphrase", [None, b"wrong", b""])
def test_a_passphrase_that_is_missing_or_wrong_opens_nothing(custody: Custody, passphrase: bytes | None) -> None:
    custody.keep("root", making.key(), b"open sesame")
    with pytest.raises(KeyUnavailable, match="passphrase"):
        custody.signer("root", passphrase)


def test_a_name_that_another_key_has_is_taken_and_that_key_stays(custody: Custody) -> None:
    custody.keep("root", making.key(number=1), b"x")
    for key, passphrase in ((making.key(number=2), b"x"), (making.key(number=1), b"y"), (making.key(number=1), None)):
        with pytest.raises(KeyUnavailable, match="in custody already"):
            custody.keep("root", key, passphrase)
    assert custody.signer("root", b"x").public_key() == making.key(number=1).public_key()


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_keeping_the_same_key_again_changes_nothing(custody: Custody, passphrase: bytes | None) -> None:
    """A killed `init` that imports a hierarchy is repeated with the same keys."""
    custody.keep("root", making.key(), passphrase)
    custody.keep("root", making.key(), passphrase)
    assert custody.signer("root", passphrase).public_key() == making.key().public_key()


def test_sealed_gives_every_key_as_it_rests_and_the_root_stays_sealed(custody: Custody) -> None:
    assert custody.sealed() == {}
    custody.keep("root", making.key(number=1), b"open sesame")
    custody.keep("intermediate", making.key(number=2))
    sealed = custody.sealed()
    assert sorted(sealed) == ["intermediate", "root"]
    assert open_sealed(sealed["intermediate"]).public_key() == making.key(number=2).public_key()
    with pytest.raises(PassphraseMissing):
        open_sealed(sealed["root"])
    assert "BEGIN" not in f"{sealed}"


def test_what_was_taken_out_sealed_signs_again_where_it_is_put_back(custody: Custody) -> None:
    source = MemoryCustody()
    source.keep("root", making.key(), b"open sesame")
    for _ in range(2):
        custody.put_back("root", bytes(source.sealed()["root"]))
    assert custody.signer("root", b"open sesame").public_key() == making.key().public_key()
    assert custody.sealed() == source.sealed()


def test_putting_back_never_overwrites_another_key(custody: Custody) -> None:
    custody.keep("root", making.key(number=1))
    with pytest.raises(KeyUnavailable, match="another key named root is in custody already"):
        custody.put_back("root", bytes(seal(making.key(number=2))))
    assert custody.signer("root").public_key() == making.key(number=1).public_key()


@pytest.mark.parametrize("name", ["../root", "a/b", "", ".hidden", "a.key", "x" * 101, "nul\0", "ä"])
def test_a_name_that_would_be_a_path_is_refused(custody: Custody, name: str) -> None:
    with pytest.raises(KeyUnavailable, match="no key can be named"):
        custody.put_back(name, bytes(seal(making.key())))
    assert custody.sealed() == {}
