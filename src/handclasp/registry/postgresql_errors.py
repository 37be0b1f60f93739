"""PostgreSQL's errors, and which of ours each one is."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Error, IntegrityError, OperationalError, errors

from handclasp.errors import RegistryBusy, RegistryDamaged, RegistryError, RegistryUnavailable
from handclasp.registry.postgresql_address import Address
from handclasp.registry.sql.taken import already_registered

_BUSY = (
    errors.LockNotAvailable,  # lock_timeout
    errors.QueryCanceled,  # a statement_timeout that the server's administrator has set
    errors.DeadlockDetected,
    errors.SerializationFailure,
)
_REFUSED = (IntegrityError, errors.DataError)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)
#: SQLSTATEs that end a connection, beside class 08: the server shuts down, crashed, starts, has dropped the database or
#: lets nobody else in; an idle transaction or connection was ended. An error without a SQLSTATE is libpq's own: nobody
#: there. https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST = {"57P01", "57P02", "57P03", "57P04", "57P05", "53300", "25P03", "25P04"}


def is_lost(error: Error) -> bool:
    """Whether the connection is gone, or never was."""
    if error.sqlstate is None:
        return isinstance(error, OperationalError)
    return error.sqlstate in _LOST or error.sqlstate.startswith("08")


@contextmanager
def driver_errors(where: Address, waited_s: float) -> Iterator[None]:
    """No driver error leaves: each becomes the registry error that says what to do."""
    try:
        yield
    except _BUSY as error:
        raise RegistryBusy(
            f"{where} was held by another writer for {waited_s:.0f} seconds ({_said(error)})",
            hint="look for a process that hangs in the middle of a change, then try again",
        ) from error
    except _REFUSED as error:
        taken = already_registered(error.diag.constraint_name or "")
        if taken and isinstance(error, errors.UniqueViolation):
            raise taken from error
        raise RegistryError(f"the registry refuses the change: {_said(error)}") from error
    except _DAMAGED as error:
        raise RegistryDamaged(f"{where} is damaged: {_said(error)}", hint="restore it from a backup") from error
    except Error as error:
        if is_lost(error):
            raise RegistryUnavailable(
                f"{where} does not answer: {_said(error)}",
                hint="see that PostgreSQL runs there and lets this user in, then try again",
            ) from error
        raise RegistryError(f"{where} cannot be used: {_said(error)}") from error


def _said(error: Error) -> str:
    """What the server said, on one line, without the row it was about; of libpq's words those that no hint of ours says
    again."""
    said = error.diag.message_primary or str(error).removeprefix("connection failed: ")
    return " ".join(line.strip() for line in said.splitlines() if not line.startswith("\t"))
