"""From `client revoke` returning to the first 403 on the client's open connection, as a distribution.

The whole product runs as a user runs it: `handclasp up` in a process of its own, 10,000 clients, real Envoy, real
SQLite. This process revokes, by the use case the command calls; others keep the gateway busy meanwhile, and none of
their requests may fail. Then the same while clients are enrolled, when the gateway also loads table after table.
"""

import multiprocessing
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from math import ceil
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.deployment import ACTOR, CLIENTS, Caller, Deployment, deployment
from bench.envoys import free_port, service
from bench.instructions import python
from bench.load import Connection
from handclasp.authority.enrol import Enrolment, enrol
from handclasp.authority.revoke import revoke_client
from handclasp.cli.context import Session
from handclasp.gateway.envoy.locate import check_version, find_envoy
from handclasp.pki.identity import client_id
from handclasp.registry.records import RevocationReason

_GOAL_MS = 100
#: With enrolments each takes longer, and the distribution is told for information.
_REVOCATIONS = {"steady": 100, "enrolling": 40}
_OTHERS = 4
_ENROL_EVERY_SECONDS = 0.1
#: Nobody waits longer for a 403, or for the gateway to serve.
_PATIENCE_SECONDS = 60

_spawning = multiprocessing.get_context("spawn")


def main() -> None:
    envoy = find_envoy(None)
    print(f"Envoy {check_version(envoy)}, {CLIENTS:,} registered clients, {_OTHERS} others calling without pause")
    with (
        deployment(callers=_OTHERS + sum(_REVOCATIONS.values())) as made,
        TemporaryDirectory(prefix="handclasp-bench-") as at,
    ):
        others, victims = made.callers[:_OTHERS], iter(made.callers[_OTHERS:])
        with service(envoy, Path(at)) as upstream, _up(made, upstream) as port:
            for situation, count in _REVOCATIONS.items():
                with _calling(port, others, made.trust_anchor), _enrolling(made, on=situation == "enrolling"):
                    _tell(situation, [_revoke(port, victim, made) for victim in islice(victims, count)])


def _tell(situation: str, seconds: list[float]) -> None:
    milliseconds = sorted(each * 1e3 for each in seconds)
    goal = f"  (goal: p99 under {_GOAL_MS} ms)" if situation == "steady" else ""
    print(f"{situation}: {len(milliseconds)} revocations, ms from returning to the first 403: ", end="")
    print(f"min {milliseconds[0]:.1f}, median {median(milliseconds):.1f}, ", end="")
    print(f"p90 {_percentile(milliseconds, 90):.1f}, ", end="")
    print(f"p99 {_percentile(milliseconds, 99):.1f}, max {milliseconds[-1]:.1f}{goal}", flush=True)


def _percentile(ordered: list[float], percent: int) -> float:
    """By nearest rank: the smallest value that `percent` of all do not exceed."""
    return ordered[ceil(len(ordered) * percent / 100) - 1]


def _revoke(port: int, victim: Caller, made: Deployment) -> float:
    """Seconds until the connection that was open before is refused."""
    connection = Connection(port, victim.pem, made.trust_anchor)
    try:
        if connection.request() != 200:
            raise RuntimeError(f"{victim.client_id} was refused before it was revoked")
        revoke_client(
            victim.client_id,
            registry=made.session.registry,
            reason=RevocationReason.KEY_COMPROMISE,
            actor=ACTOR,
            now=datetime.now(UTC),
        )
        returned = time.perf_counter()
        while connection.request() != 403:
            if time.perf_counter() - returned > _PATIENCE_SECONDS:
                raise RuntimeError(f"{victim.client_id} was revoked and still passes")
        return time.perf_counter() - returned
    finally:
        connection.close()


@contextmanager
def _up(made: Deployment, upstream: str) -> Iterator[int]:
    """`handclasp up`, serving; yields its port."""
    port = free_port()
    ready = made.session.state / "ready"
    state = ["-m", "handclasp", "--state", str(made.session.state)]
    where = ["--upstream", upstream, "--listen", f"127.0.0.1:{port}", "--ready-file", str(ready)]
    process = subprocess.Popen(python(*state, "up", *where), stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("handclasp up does not serve")
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_PATIENCE_SECONDS)


@contextmanager
def _calling(port: int, callers: list[Caller], trust_anchor: Path) -> Iterator[None]:
    """Others call all the time, from another process; says at the end how many of their requests failed."""
    stop, told = _spawning.Event(), _spawning.Queue()
    process = _spawning.Process(target=_call, args=(port, [c.pem for c in callers], trust_anchor, stop, told))
    process.start()
    told.get(timeout=_PATIENCE_SECONDS)
    try:
        yield
    finally:
        stop.set()
        succeeded, failed = told.get(timeout=_PATIENCE_SECONDS)
        process.join()
    print(f"  meanwhile {succeeded:,} requests of others succeeded, {failed} failed  (goal: 0 failed)")


def _call(port: int, pems: list[Path], trust_anchor: Path, stop: Event, told: "Queue[tuple[int, int]]") -> None:
    connections = [Connection(port, pem, trust_anchor) for pem in pems]
    succeeded = failed = 0
    told.put((0, 0))
    while not stop.is_set():
        for connection in connections:
            connection.send()
        for number, connection in enumerate(connections):
            try:
                good = connection.receive() == 200
            except OSError:
                good = False
                connections[number] = Connection(port, pems[number], trust_anchor)
            succeeded, failed = succeeded + good, failed + (not good)
    told.put((succeeded, failed))


@contextmanager
def _enrolling(made: Deployment, *, on: bool) -> Iterator[None]:
    """Clients are enrolled all the time, from another process, if `on`."""
    if not on:
        yield
        return
    stop, told = _spawning.Event(), _spawning.Queue()
    process = _spawning.Process(target=_enrol, args=(str(made.session.state), stop, told))
    process.start()
    try:
        yield
    finally:
        stop.set()
        enrolled = told.get(timeout=_PATIENCE_SECONDS)
        process.join()
    print(f"  meanwhile {enrolled} clients were enrolled")


def _enrol(state: str, stop: Event, told: "Queue[int]") -> None:
    session = Session(state)
    enrolled = 0
    while not stop.wait(_ENROL_EVERY_SECONDS):
        enrol(
            Enrolment(client_id(f"newcomer-{enrolled}"), "prod", "nextjs"),
            registry=session.registry,
            custody=session.custody,
            practice=session.practice,
            actor=ACTOR,
            now=datetime.now(UTC),
        )
        enrolled += 1
    told.put(enrolled)


if __name__ == "__main__":
    main()
