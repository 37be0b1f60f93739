"""Checkpoints are made when they are due, once, with one key that never leaves."""

import threading
from contextlib import closing
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pytest

from handclasp.authority.audit.checkpoint import (
    KEY_NAME,
    audit_public_key,
    checkpoint_if_due,
    checkpoint_now,
    is_signed,
)
from handclasp.custody.file import FileCustody
from handclasp.custody.memory import MemoryCustody
from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.registry.memory import MemoryRegistry
from handclasp.registry.sqlite import SqliteRegistry
from tests import making
from tests.audit.conftest import custody
from tests.registry.rows import note


def test_the_first_is_due_at_once_and_then_every_so_many_entries() -> None:
    registry, keys = MemoryRegistry(clock=lambda: 5_000), custody()
    made = []
    for _ in range(12):
        note(registry)
        if found := checkpoint_if_due(registry, keys, every=4, actor="tester"):
            made.append(found.sequence)
    # The first one is followed by the entry that tells of the key.
    assert made == [1, 5, 9, 13]
    assert all(is_signed(each) and each.at == 5_000 for each in registry.checkpoints())
    assert {each.public_key for each in registry.checkpoints()} == {audit_public_key(keys)}


def test_the_key_is_told_of_once_with_who_had_it_made() -> None:
    registry, keys = MemoryRegistry(), custody()
    note(registry)
    checkpoint_now(registry, keys, actor="maria")
    note(registry)
    checkpoint_now(registry, keys, actor="maria")
    told = [entry for entry in registry.audit() if entry.action == "audit.sign"]
    assert [(entry.actor, entry.subject) for entry in told] == [("maria", audit_public_key(keys))]


def test_a_head_that_is_signed_is_not_signed_again() -> None:
    registry, keys = MemoryRegistry(), custody()
    assert checkpoint_now(registry, keys, actor="tester") is None, "there is nothing to sign"
    note(registry)
    checkpoint_now(registry, keys, actor="tester")
    second = checkpoint_now(registry, keys, actor="tester")
    assert checkpoint_now(registry, keys, actor="tester") == second
    assert [each.sequence for each in registry.checkpoints()] == [1, 2]


def test_where_no_key_is_none_is_made() -> None:
    """A gateway's machine has no keys: one made there would not be the authority's."""
    registry = MemoryRegistry()
    note(registry)
    nobody = MemoryCustody()
    with pytest.raises(KeyUnavailable, match="custody holds no keys here"):
        checkpoint_now(registry, nobody, actor="tester")
    assert nobody.sealed() == {}
    assert registry.checkpoints() == []


def test_a_key_that_is_gone_is_not_replaced() -> None:
    registry = MemoryRegistry()
    note(registry)
    checkpoint_now(registry, custody(), actor="tester")
    note(registry)
    elsewhere = custody()
    with pytest.raises(KeyUnavailable, match="no key named audit"):
        checkpoint_now(registry, elsewhere, actor="tester")
    assert KEY_NAME not in elsewhere.sealed()


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P256, KeyAlgorithm.ED25519])
def test_only_an_unsealed_ed25519_key_signs(algorithm: KeyAlgorithm) -> None:
    registry, keys = MemoryRegistry(), custody()
    note(registry)
    keys.keep(KEY_NAME, generate(algorithm), b"sealed" if algorithm is KeyAlgorithm.ED25519 else None)
    with pytest.raises(KeyUnavailable):
        checkpoint_now(registry, keys, actor="tester")
    assert registry.checkpoints() == []


def _sign(path: str, keys: str, times: int) -> list[int]:
    made = set()
    with closing(SqliteRegistry(Path(path))) as registry:
        for _ in range(times):
            note(registry)
            found = checkpoint_if_due(registry, FileCustody(Path(keys)), every=3, actor="tester")
            made |= {found.sequence} if found else set()
    return sorted(made)


def test_many_processes_at_once_make_one_key_and_no_checkpoint_twice(tmp_path: Path) -> None:
    FileCustody(tmp_path / "pki").keep("intermediate", making.key())
    with get_context("forkserver").Pool(4) as pool:
        pool.starmap(_sign, [(str(tmp_path / "registry.db"), str(tmp_path / "pki"), 10)] * 4)
    with closing(SqliteRegistry(tmp_path / "registry.db")) as registry:
        stored = registry.checkpoints()
        assert len({each.public_key for each in stored}) == 1
        assert all(is_signed(each) for each in stored)
        assert [e.action for e in registry.audit()].count("audit.sign") == 1
        gaps = [later.sequence - earlier.sequence for earlier, later in pairwise(stored)]
        assert min(gaps) >= 1
        assert registry.last_checkpoint() == stored[-1]


def test_two_threads_that_find_the_same_head_due_make_one_checkpoint(tmp_path: Path) -> None:
    keys, path = custody(), tmp_path / "registry.db"
    with closing(SqliteRegistry(path)) as registry:
        note(registry)
    barrier = threading.Barrier(2)

    def sign() -> None:
        with closing(SqliteRegistry(path)) as registry:
            barrier.wait(10)
            checkpoint_now(registry, keys, actor="tester")

    threads = [threading.Thread(target=sign) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    with closing(SqliteRegistry(path)) as registry:
        # The second thread may have found the entry about the key, and signed that.
        assert [each.sequence for each in registry.checkpoints()] in ([1], [1, 2])


def test_nothing_is_due_in_an_empty_registry() -> None:
    assert checkpoint_if_due(MemoryRegistry(), custody(), every=1, actor="tester") is None
