"""Nobody is cut off: twenty clients call without pause through every rotation, and not one request is refused."""

import json
import signal
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.rotation.world import NAMES, World

_ISSUER = ("rotate", "issuer", "--idle-for", "2s", "--deadline", "10m")
_STEPS = ("create", "publish", "confirm", "activate", "reissue", "idle", "supersede", "retire")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.establish()
    with made.serving():
        yield made


def nobody_was_refused(report: dict[str, Any], generations: int) -> None:
    assert report["failures"] == []
    assert set(report["answers"]) == {"200"}
    assert report["answers"]["200"] > 100
    assert min(report["generations"].values()) >= generations


def old_is_gone(world: World, old: str, kept: Path) -> None:
    """Nobody holds a certificate of the old issuer, it is retired, and one who kept a copy is refused."""
    assert world.status_with(kept) == HTTPStatus.FORBIDDEN
    issuers = {each["issuer_id"]: each["status"] for each in world.json("ca", "list")}
    new = signing(world)
    assert (issuers[old], issuers[new]) == ("retired", "active")
    for name in NAMES:
        assert world.issuers_of(name) == [new]


def signing(world: World) -> str:
    issuer_id: str = world.json("ca", "show")["issuer_id"]
    return issuer_id


def test_rotating_all_clients(world: World) -> None:
    with world.called() as report:
        world.do("rotate", "clients", "--all", "--overlap", "24h")
    nobody_was_refused(report, 2)


def test_rotating_the_issuer(world: World) -> None:
    old, kept = signing(world), world.keep_a_copy(NAMES[0])
    assert world.status_with(kept) == HTTPStatus.OK
    with world.called() as report:
        events = world.events(*_ISSUER, "--root-passphrase-file", world.passphrase_file)
    nobody_was_refused(report, 2)
    assert [each["step"] for each in events if each["event"] == "step"] == list(_STEPS)
    assert events[-1]["event"] == "done"
    old_is_gone(world, old, kept)


def test_rotating_the_root(world: World) -> None:
    old = {each["issuer_id"] for each in world.json("ca", "list")}
    with world.called() as report:
        world.do("rotate", "root", "--idle-for", "2s", "--root-passphrase-file", world.passphrase_file)
    nobody_was_refused(report, 2)
    assert {each["issuer_id"] for each in world.json("ca", "list") if each["status"] == "retired"} == old


def test_rotating_the_issuer_killed_at_every_step(world: World) -> None:
    old, kept = signing(world), world.keep_a_copy(NAMES[0])
    assert world.status_with(kept) == HTTPStatus.OK
    with world.called() as report:
        operation = killed_at(world, "create", *_ISSUER, "--root-passphrase-file", world.passphrase_file)
        assert operation is not None
        for step in _STEPS[1:]:
            passphrase = ("--root-passphrase-file", world.passphrase_file)
            killed_at(world, step, "operation", "resume", operation, *passphrase)
        world.do("operation", "resume", operation)
    nobody_was_refused(report, 2)
    old_is_gone(world, old, kept)


def killed_at(world: World, step: str, *arguments: str) -> str:
    """Run it until it begins that step, and kill -9 it there. The operation's id."""
    process = world.start(*arguments, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "step" and event["step"] == step:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            operation: str = event["operation"]
            return operation
    raise AssertionError(f"it did not come to its step {step}: {process.communicate()[1]}")
