"""Rotation of clients that keep their keys, against as many bare P-256 signatures; all of it, not only the signing.

Rows, audit trail and file delivery are included: a state folder with that many clients, each with its files, and then
what `handclasp rotate clients --all --same-key` does. Instructions are counted in one process, where nothing is
hidden, on states of two sizes: what both do once cancels out. Times and memory are the command's own, workers and all.
"""

import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.deployment import ACTOR, establish_authority
from bench.instructions import NoCounter, counter, per_iteration, python
from handclasp.authority.enrol import Enrolment, certify
from handclasp.authority.issuers import Signing, signing_issuer
from handclasp.authority.operations.operation import Run, perform
from handclasp.authority.operations.taking import begin
from handclasp.authority.recording import epoch
from handclasp.authority.rotation.rotate_clients import ROTATE_CLIENTS
from handclasp.cli.context import Session
from handclasp.cli.rotate.clients import rotation_arguments, rotation_steps
from handclasp.delivery.port import Credential
from handclasp.pki.bundle import full_chain
from handclasp.pki.identity import client_id
from handclasp.pki.keys import seal
from handclasp.pki.pem import certificate_pem
from handclasp.registry.port import Change
from handclasp.registry.records import Client, ClientStatus

_GOAL = 4.5
_COUNTED = 200
_SIZES = (1_000, 10_000)
#: A certificate's to-be-signed part, about.
_SIGNED_BYTES = 700


def main() -> None:
    with TemporaryDirectory(prefix="handclasp-bench-") as folder:
        _print_instructions(Path(folder))
        _print_times(Path(folder))


def _print_instructions(folder: Path) -> None:
    try:
        count = counter()
    except NoCounter as reason:
        print(f"skipped: {reason}")
        return
    states = {n: _state(folder, n) for n in (_COUNTED, 3 * _COUNTED)}

    def rotating(n: int) -> int:
        return count.command(python("-m", "bench.reissue", "rotate", str(_copy(states[n])), "0"))

    ours = per_iteration(rotating, _COUNTED)
    bare = per_iteration(lambda n: count.command(python("-m", "bench.reissue", "sign", str(n))), _COUNTED)
    print(f"thousand instructions per certificate ({count.name})")
    print(f"{'bare signature':24} {bare / 1e3:8.0f}")
    print(f"{'rotated, all of it':24} {ours / 1e3:8.0f} {ours / bare:6.2f}  (goal: at most {_GOAL})")


def _print_times(folder: Path) -> None:
    print("\nclients    workers   certificates/s   of bare signatures   peak memory, MB (this process; a worker)")
    started = time.perf_counter()
    _sign(_SIZES[-1])
    bare = _SIZES[-1] / (time.perf_counter() - started)
    for clients in _SIZES:
        state = _state(folder, clients)
        for workers in (0, 2):
            words = python("-m", "bench.reissue", "rotate", str(_copy(state)), str(workers))
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            seconds, own, child = map(float, done.stdout.split())
            rate = clients / seconds
            print(f"{clients:7,}    {workers:7}   {rate:14,.0f}   {rate / bare:18.2f}   {own:8.1f} {child:8.1f}")


def _state(folder: Path, clients: int) -> Path:
    """A state folder with that many clients; made once."""
    state = folder / str(clients)
    if state.exists():
        return state
    state.mkdir(mode=0o700)
    session = Session(str(state))
    establish_authority(session)
    signing = signing_issuer(session.registry, session.custody, session.practice.urls)
    with session.registry.change() as change:
        for number in range(clients):
            _enrol(session, change, signing, f"client-{number:05d}")
    session.close()
    return state


def _enrol(session: Session, change: Change, signing: Signing, name: str) -> None:
    client = Client(client_id(name), "prod", "nextjs", "Platform team", None, ClientStatus.ACTIVE, epoch(session.now))
    asked = Enrolment(client_id(name), client.environment, client.application)
    record, certificate, key = certify(client, asked, signing, session.practice, session.now)
    assert key is not None
    change.add_client(client)
    change.add_certificate(record)
    change.set_delivered(record.issuer_id, record.serial_number, epoch(session.now))
    session.delivery.deliver(
        Credential(
            client_id=client.client_id,
            certificate=certificate_pem(certificate),
            full_chain=full_chain((certificate, *signing.sent)),
            trust_anchor=certificate_pem(*signing.anchors),
            key=seal(key),
        )
    )


def _copy(state: Path) -> Path:
    copy = state.with_name(f"{state.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(state, copy, symlinks=True)
    return copy


def _rotate(state: Path, workers: int) -> None:
    session = Session(str(state))
    started = time.perf_counter()
    arguments = rotation_arguments(session, rekey=False)
    steps = rotation_steps(session, arguments, workers=workers)
    operation = begin(ROTATE_CLIENTS, arguments, steps, registry=session.registry, actor=ACTOR)
    perform(Run(session.registry, operation, ACTOR, lambda _: False), steps, until="supersede")
    seconds = time.perf_counter() - started
    session.close()
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(seconds, own, child)


def _sign(signatures: int) -> None:
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    for _ in range(signatures):
        key.sign(bytes(_SIGNED_BYTES), algorithm)


if __name__ == "__main__":
    if sys.argv[1:2] == ["rotate"]:
        _rotate(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["sign"]:
        _sign(int(sys.argv[2]))
    else:
        main()
