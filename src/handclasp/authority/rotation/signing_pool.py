"""Sign in several processes while this one writes: half as long on two processors, for more than a few hundred.

Each worker opens custody itself: a key never crosses from one process to another. The keys that are made for clients
do, through a pipe of this process's own. Threads would not help: encoding holds the interpreter's lock.
"""

import copyreg
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context

from cryptography import x509

from handclasp.authority.issuers import Signing
from handclasp.authority.practice import Practice
from handclasp.authority.rotation.bulk_signing import BulkSigner, Order, Signed
from handclasp.custody.port import Custody
from handclasp.errors import HandclaspError, SigningFailed
from handclasp.pki.issuance import IssuingAuthority

#: Below this, starting workers takes longer than they save.
WORTH_A_POOL = 500
#: One writer cannot keep more of them busy.
MOST_WORKERS = 2

#: Opens custody anew, in whatever process; it can be pickled.
OpenCustody = Callable[[], Custody]
#: Takes a batch and returns what waits for it: Signed, in the order of the orders. Raises SigningFailed.
Sign = Callable[[Sequence[Order], datetime], Callable[[], list[Signed]]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker signs with."""

    open_custody: OpenCustody
    issuer_id: str
    issuer: bytes
    key_name: str
    practice: Practice


# A practice's profiles hold object identifiers, which the library does not let be pickled by itself.
copyreg.pickle(x509.ObjectIdentifier, lambda oid: (x509.ObjectIdentifier, (oid.dotted_string,)))


@contextmanager
def bulk_signing(
    signing: Signing, open_custody: OpenCustody, practice: Practice, *, certificates: int, workers: int | None = None
) -> Iterator[Sign]:
    """Signs in this process, or in `workers` others (chosen by how much there is to do when None)."""
    if workers is None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = min(MOST_WORKERS, processors) if certificates >= WORTH_A_POOL and processors > 1 else 0
    if workers == 0:
        signer = BulkSigner(signing.record.issuer_id, signing.authority, practice)
        yield lambda orders, now: lambda: signer.sign(orders, now)
        return
    task = Task(open_custody, signing.record.issuer_id, signing.record.der, signing.record.key_name or "", practice)
    # Spawned, not forked: a child must not inherit the registry's open file and its locks.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_work, initargs=(task,))
    try:
        yield lambda orders, now: _waiting(pool, orders, now)
    finally:
        pool.shutdown(cancel_futures=True)


def _waiting(pool: ProcessPoolExecutor, orders: Sequence[Order], now: datetime) -> Callable[[], list[Signed]]:
    try:
        future: Future[list[Signed] | SigningFailed] = pool.submit(sign_here, list(orders), now)
    except BrokenProcessPool:
        raise _ended() from None

    def wait() -> list[Signed]:
        try:
            found = future.result()
        except BrokenProcessPool:
            raise _ended() from None
        if isinstance(found, SigningFailed):
            raise found
        return found

    return wait


def _ended() -> SigningFailed:
    return SigningFailed("a process that signs certificates ended before its work was done")


_signer: BulkSigner | SigningFailed


def begin_work(task: Task) -> None:
    """In a worker. Ctrl-C reaches the whole process group: the parent decides what it means."""
    global _signer  # noqa: PLW0603 - a worker process is one task's
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        key = task.open_custody().signer(task.key_name)
        authority = IssuingAuthority(x509.load_der_x509_certificate(task.issuer), key, task.practice.urls)
        _signer = BulkSigner(task.issuer_id, authority, task.practice)
    except HandclaspError as error:
        _signer = SigningFailed(str(error))


def sign_here(orders: list[Order], now: datetime) -> list[Signed] | SigningFailed:
    """Errors are returned: not every error of ours survives being pickled, and a pool that cannot hangs or breaks."""
    if isinstance(_signer, SigningFailed):
        return _signer
    try:
        return _signer.sign(orders, now)
    except HandclaspError as error:
        return SigningFailed(str(error))
