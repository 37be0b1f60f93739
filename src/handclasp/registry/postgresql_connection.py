"""One connection to PostgreSQL that survives its server: lost in between, it is made again on the next use."""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from handclasp.errors import RegistryError, RegistryUnavailable
from handclasp.registry.postgresql_address import Address
from handclasp.registry.postgresql_errors import is_lost

Raw = psycopg.Connection[tuple[Any, ...]]
_T = TypeVar("_T")

#: Whoever writes holds this lock until the end of the transaction: "the writer is alone". Any number does, if it stays.
WRITER_LOCK = 0x68616E64636C6173
#: Writers tell each other here; the payload is `revision.commits`.
CHANNEL = "handclasp"

_CANCEL_WITHIN_S = 5.0

_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({WRITER_LOCK})"
# The result is fetched after the whole of it has succeeded: whoever reads the number has committed.
_COMMIT = f"""
    WITH counted AS (UPDATE revision SET commits = commits + 1 RETURNING commits)
    SELECT commits, pg_notify('{CHANNEL}', commits::text) FROM counted;
    COMMIT
"""


def connect(where: Address, waiting_s: float) -> Raw:
    """A connection in autocommit, with our own limits. Raises psycopg's errors.

    Waiting for a lock ends after `waiting_s`. A writer that does nothing for as long (its process is stopped, its
    machine gone) loses its transaction, or it would keep all others out. `off` is the one synchronous_commit that
    returns before the data has reached the disk: https://www.postgresql.org/docs/current/runtime-config-wal.html
    """
    made: Raw = psycopg.connect(autocommit=True, **where.parameters)
    milliseconds = int(waiting_s * 1000)
    try:
        made.execute(f"""
            SET lock_timeout = {milliseconds};
            SET idle_in_transaction_session_timeout = {milliseconds};
            SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
        """)
    except BaseException:
        made.close()
        raise
    return made


class Connection:
    """Outside of a transaction, whatever finds the connection dead is done once more on a new one."""

    def __init__(self, where: Address, waiting_s: float) -> None:
        self._where = where
        self._waiting_s = waiting_s
        self._raw: Raw | None = None
        self._writing = False

    def use(self, work: Callable[[Raw], _T]) -> _T:
        """What `work` makes of the connection; outside of a transaction it may be called twice."""
        if self._writing and self._raw is not None:
            return work(self._raw)  # dead or not: what the transaction has done until here went with it
        if self._raw is not None and not self._raw.closed:
            try:
                return work(self._raw)
            except psycopg.Error as error:
                if not is_lost(error):
                    raise
        self.close()
        self._raw = connect(self._where, self._waiting_s)
        return work(self._raw)

    def begin(self) -> None:
        """Wait for the other writers and begin. Raises psycopg's errors, RegistryError inside of a transaction."""
        if self._writing:
            raise RegistryError("a change is under way already")
        try:
            self.use(lambda raw: raw.execute(_BEGIN))
        except BaseException:
            self.rollback()
            raise
        self._writing = True

    def commit(self) -> int:
        """Commit, durably, and tell the others: the number of this commit. Raises RegistryUnavailable if it may or may
        not have been made."""
        raw = self._raw
        if raw is None or raw.closed:
            raise RegistryUnavailable(f"{self._where} went away in the middle of a change", hint="try again")
        # After an error PostgreSQL answers COMMIT with ROLLBACK, and does not call it an error.
        if raw.info.transaction_status is not TransactionStatus.INTRANS:
            raise RegistryError("a part of the change was refused, so none of it was made")
        try:
            row = raw.execute(_COMMIT).fetchone()
        except psycopg.Error as error:
            if not is_lost(error):
                raise
            raise RegistryUnavailable(
                f"{self._where} went away while a change was being committed: nobody knows whether it was made",
                hint="look at what is registered before you repeat it",
            ) from error
        self._writing = False
        return int(row[0]) if row else 0

    def rollback(self) -> None:
        """Leave nothing of the transaction. A connection it cannot be said on is closed: that undoes it as well."""
        self._writing = False
        if self._raw is None or self._raw.closed:
            return
        status = self._raw.info.transaction_status
        if status is TransactionStatus.IDLE:
            return
        try:
            if status is TransactionStatus.ACTIVE:
                # Interrupted while the server was at work: it would finish that, and keep the lock until then.
                self._raw.cancel_safe(timeout=_CANCEL_WITHIN_S)
                self._raw.close()
            else:
                self._raw.execute("ROLLBACK")
        except psycopg.Error:
            self._raw.close()

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
