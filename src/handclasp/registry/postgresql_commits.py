"""Has anybody committed? Heard by LISTEN, and looked up once a second in case a notification got lost."""

import time

import psycopg

from handclasp.registry.postgresql_address import Address
from handclasp.registry.postgresql_connection import CHANNEL, Raw, connect
from handclasp.registry.postgresql_errors import is_lost

#: How long a lost notification may go unnoticed, and how often a server that is away is tried again, in seconds.
POLL_EVERY_S = 1.0
RETRY_EVERY_S = 0.25

_SELECT_COMMITS = "SELECT commits FROM revision"


class Commits:
    """Counts commits by `revision.commits`, over a connection of its own that never waits for a transaction."""

    def __init__(self, where: Address, waiting_s: float) -> None:
        self._where = where
        self._waiting_s = waiting_s
        self._raw: Raw | None = None
        self._known = 0
        self._told: int | None = None
        self._next_poll = 0.0
        self._failure: tuple[float, psycopg.OperationalError] | None = None

    def made(self, number: int) -> None:
        """This process has committed: its own notification is no news then."""
        self._known = max(self._known, number)

    def have_grown(self) -> bool:
        """True if anybody has committed since the last call, or if nobody can know. Raises psycopg's errors."""
        raw = self._listen() if self._raw is None or self._raw.closed else self._raw
        try:
            self._catch_up(raw)
        except psycopg.Error as error:
            self.close()
            if not is_lost(error):
                raise
            self._listen()
        grown = self._known != self._told
        self._told = self._known
        return grown

    def _catch_up(self, raw: Raw) -> None:
        for notification in list(raw.notifies(timeout=0)):
            if notification.payload.isdecimal():  # anybody whom the database lets in may send anything
                self._known = max(self._known, int(notification.payload))
        if time.monotonic() >= self._next_poll:
            self._poll(raw)

    def _listen(self) -> Raw:
        now = time.monotonic()
        if self._failure is not None and now < self._failure[0]:
            raise self._failure[1].with_traceback(None)
        try:
            raw = self._raw = connect(self._where, self._waiting_s)
            raw.execute(f"LISTEN {CHANNEL}")
            self._poll(raw)
        except psycopg.OperationalError as error:
            self.close()
            self._failure = (now + RETRY_EVERY_S, error)
            raise
        self._failure = None
        return raw

    def _poll(self, raw: Raw) -> None:
        row = raw.execute(_SELECT_COMMITS).fetchone()
        # Not the greater of the two: a server put back to an earlier state counts from there.
        self._known = int(row[0]) if row else 0
        self._next_poll = time.monotonic() + POLL_EVERY_S

    def close(self) -> None:
        # What happens until the next connection nobody tells us: whatever the count will be, it is news.
        self._told = None
        if self._raw is not None:
            self._raw.close()
