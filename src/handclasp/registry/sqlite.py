"""The registry in one SQLite file: WAL, synchronous=FULL, one writer at a time, any number of readers.

It speaks the driver's own SQL: statements are named constants, written once. A commit has reached the disk when
`change()` returns (https://www.sqlite.org/pragma.html#pragma_synchronous). Readers never wait for the writer.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handclasp.errors import AlreadyRegistered, NotRegistered, RegistryBusy, RegistryDamaged, RegistryError
from handclasp.registry.records import (
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    ClientSummary,
    Issuer,
    IssuerKind,
    IssuerStatus,
    RevocationReason,
    Standing,
)
from handclasp.registry.sqlite_schema import MIGRATIONS

#: Fifty processes that enrol at once wait their turn within this.
BUSY_TIMEOUT_S = 60.0

_CLIENT = "client_id, environment, application, owner, contact, status, created_at"
_CERTIFICATE = (
    "issuer_id, serial_number, fingerprint, client_id, profile, subject, public_key_id, not_before, not_after, "
    "status, created_at, der, revoked_at, revocation_reason, delivered_at"
)
_ISSUER = (
    "issuer_id, kind, subject, serial_number, fingerprint, not_before, not_after, status, key_name, parent_id, "
    "created_at, der"
)
_AUDIT = "sequence, at, actor, action, subject, details, previous, hash"

_SELECT_CLIENT = f"SELECT {_CLIENT} FROM client WHERE client_id = ?"
_SELECT_CERTIFICATE = f"SELECT {_CERTIFICATE} FROM certificate WHERE issuer_id = ? AND serial_number = ?"
_SELECT_CERTIFICATES = f"SELECT {_CERTIFICATE} FROM certificate WHERE client_id = ? ORDER BY created_at, rowid"
_SELECT_KEY_OWNER = "SELECT client_id FROM certificate WHERE public_key_id = ? LIMIT 1"
_SELECT_ISSUERS = f"SELECT {_ISSUER} FROM issuer ORDER BY created_at, rowid"
_SELECT_SUMMARIES = f"""
    SELECT {_CLIENT},
        (SELECT count(*) FROM certificate AS c WHERE c.client_id = client.client_id AND c.status = 'active'),
        (SELECT max(not_after) FROM certificate AS c WHERE c.client_id = client.client_id AND c.status = 'active')
    FROM client ORDER BY client_id
"""
_QUALIFIED_CERTIFICATE = ", ".join(f"certificate.{name}" for name in _CERTIFICATE.split(", "))
_QUALIFIED_CLIENT = ", ".join(f"client.{name}" for name in _CLIENT.split(", "))
_SELECT_STANDINGS = f"""
    SELECT {_QUALIFIED_CERTIFICATE}, {_QUALIFIED_CLIENT}
    FROM certificate JOIN client ON client.client_id = certificate.client_id
    WHERE certificate.rowid IN (
        SELECT rowid FROM certificate WHERE revision > ?1
        UNION
        SELECT c.rowid FROM certificate AS c JOIN client AS o ON o.client_id = c.client_id WHERE o.revision > ?1
    )
"""
_SELECT_AUDIT = f"SELECT {_AUDIT} FROM audit WHERE sequence > ? ORDER BY sequence"
_SELECT_LAST_AUDIT = f"SELECT {_AUDIT} FROM audit ORDER BY sequence DESC LIMIT 1"

_INSERT_CLIENT = f"INSERT INTO client ({_CLIENT}, revision) VALUES (?,?,?,?,?,?,?,?)"
_INSERT_CERTIFICATE = f"INSERT INTO certificate ({_CERTIFICATE}, revision) VALUES ({'?,' * 15}?)"
_INSERT_ISSUER = f"INSERT INTO issuer ({_ISSUER}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_AUDIT = f"INSERT INTO audit ({_AUDIT}) VALUES (?,?,?,?,?,?,?,?)"
_UPDATE_CLIENT_STATUS = "UPDATE client SET status = ?, revision = ? WHERE client_id = ?"
_UPDATE_CERTIFICATE_STATUS = """
    UPDATE certificate SET status = ?, revoked_at = ?, revocation_reason = ?, revision = ?
    WHERE issuer_id = ? AND serial_number = ?
"""
_UPDATE_DELIVERED = "UPDATE certificate SET delivered_at = ? WHERE issuer_id = ? AND serial_number = ?"
_UPDATE_ISSUER_STATUS = "UPDATE issuer SET status = ? WHERE issuer_id = ?"

#: A lookup costs a tenth of what calling the enumeration does, and lists are long.
_CLIENT_STATUSES = {status.value: status for status in ClientStatus}

#: What a violated UNIQUE constraint means, by the column SQLite names.
_TAKEN = {
    "client.client_id": "a client of that name is registered already",
    "certificate.fingerprint": "that certificate is registered already",
    "certificate.serial_number": "that serial number is registered already",
    "issuer.issuer_id": "that issuer is registered already",
    "issuer.fingerprint": "that issuer is registered already",
}


class SqliteRegistry:
    """Opens `path`, creating file and schema if need be, and applies the migrations it lacks.

    Raises RegistryDamaged when the file is not a readable SQLite database, RegistryError when a newer version
    of Handclasp made it. One object belongs to one thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _make_private(path)
        with _driver_errors(path):
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        self._file = _file_id(path)
        self._own_commits = 0
        self._seen: tuple[int, int] | None = None

    def _prepare(self) -> None:
        run = self._connection.execute
        if run("PRAGMA journal_mode").fetchone()[0] != "wal":
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        if self._schema_version() < len(MIGRATIONS):
            with self._transaction():
                for number in range(self._schema_version(), len(MIGRATIONS)):
                    for statement in _statements(MIGRATIONS[number]):
                        run(statement)
                    run(f"PRAGMA user_version = {number + 1}")
        if self._schema_version() > len(MIGRATIONS):
            raise RegistryError(
                f"registry {self._path} has schema {self._schema_version()}, this version knows {len(MIGRATIONS)}",
                hint="upgrade Handclasp",
            )

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk or an I/O error has rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def change(self) -> Iterator["_Change"]:
        with _driver_errors(self._path):
            with self._transaction():
                yield _Change(self._connection, self._path)
            self._own_commits += 1

    def client(self, client_id: str) -> Client:
        return _Reader(self._connection, self._path).client(client_id)

    def certificate(self, issuer_id: str, serial_number: str) -> Certificate:
        return _Reader(self._connection, self._path).certificate(issuer_id, serial_number)

    def certificates(self, client_id: str) -> list[Certificate]:
        return _Reader(self._connection, self._path).certificates(client_id)

    def public_key_owner(self, public_key_id: str) -> str | None:
        return _Reader(self._connection, self._path).public_key_owner(public_key_id)

    def issuers(self) -> list[Issuer]:
        return _Reader(self._connection, self._path).issuers()

    def summaries(self) -> Iterator[ClientSummary]:
        with _driver_errors(self._path):
            for row in self._connection.execute(_SELECT_SUMMARIES):
                yield ClientSummary(_client(row[:7]), row[7], row[8])

    def revision(self) -> int:
        with _driver_errors(self._path):
            return int(self._connection.execute("SELECT value FROM revision").fetchone()[0])

    def has_changed(self) -> bool:
        # A file that was removed or replaced stays readable through an open connection, and never changes again.
        if _file_id(self._path) != self._file:
            raise RegistryDamaged(
                f"registry {self._path} was removed or replaced while it was open", hint="start again on the right file"
            )
        # data_version tells of other connections' commits only, so our own are counted beside it.
        with _driver_errors(self._path):
            now = (int(self._connection.execute("PRAGMA data_version").fetchone()[0]), self._own_commits)
        changed = now != self._seen
        self._seen = now
        return changed

    def standings(self, *, since: int = 0) -> Iterator[Standing]:
        with _driver_errors(self._path):
            for row in self._connection.execute(_SELECT_STANDINGS, (since,)):
                yield Standing(_certificate(row[:15]), _client(row[15:]))

    def audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
        with _driver_errors(self._path):
            for row in self._connection.execute(_SELECT_AUDIT, (after,)):
                yield AuditEntry(*row)

    def close(self) -> None:
        self._connection.close()


class _Reader:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._run = connection.execute
        self._path = path

    def client(self, client_id: str) -> Client:
        with _driver_errors(self._path):
            row = self._run(_SELECT_CLIENT, (client_id,)).fetchone()
        if row is None:
            raise NotRegistered(f"no client {client_id} is registered", hint="handclasp client list shows all clients")
        return _client(row)

    def certificate(self, issuer_id: str, serial_number: str) -> Certificate:
        with _driver_errors(self._path):
            row = self._run(_SELECT_CERTIFICATE, (issuer_id, serial_number)).fetchone()
        if row is None:
            raise NotRegistered(f"no certificate {serial_number} of issuer {issuer_id} is registered")
        return _certificate(row)

    def certificates(self, client_id: str) -> list[Certificate]:
        with _driver_errors(self._path):
            return [_certificate(row) for row in self._run(_SELECT_CERTIFICATES, (client_id,))]

    def public_key_owner(self, public_key_id: str) -> str | None:
        with _driver_errors(self._path):
            row = self._run(_SELECT_KEY_OWNER, (public_key_id,)).fetchone()
        return None if row is None else (row[0] or "")

    def issuers(self) -> list[Issuer]:
        with _driver_errors(self._path):
            return [_issuer(row) for row in self._run(_SELECT_ISSUERS)]


class _Change(_Reader):
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._raised_revision: int | None = None

    def _revision(self) -> int:
        """This transaction's revision, raised once."""
        if self._raised_revision is None:
            row = self._run("UPDATE revision SET value = value + 1 RETURNING value").fetchone()
            self._raised_revision = int(row[0])
        return self._raised_revision

    def add_client(self, client: Client) -> None:
        self._run(_INSERT_CLIENT, (*_values(client), self._revision()))

    def set_client_status(self, client_id: str, status: ClientStatus) -> None:
        _changed(self._run(_UPDATE_CLIENT_STATUS, (status, self._revision(), client_id)), f"client {client_id}")

    def add_certificate(self, certificate: Certificate) -> None:
        self._run(_INSERT_CERTIFICATE, (*_values(certificate), self._revision()))

    def set_certificate_status(
        self,
        certificate: Certificate,
        status: CertificateStatus,
        *,
        at: int,
        reason: RevocationReason | None,
    ) -> None:
        key = (certificate.issuer_id, certificate.serial_number)
        cursor = self._run(_UPDATE_CERTIFICATE_STATUS, (status, at, reason, self._revision(), *key))
        _changed(cursor, f"certificate {certificate.serial_number}")

    def set_delivered(self, issuer_id: str, serial_number: str, at: int) -> None:
        _changed(self._run(_UPDATE_DELIVERED, (at, issuer_id, serial_number)), f"certificate {serial_number}")

    def add_issuer(self, issuer: Issuer) -> None:
        self._revision()
        self._run(_INSERT_ISSUER, _values(issuer))

    def set_issuer_status(self, issuer_id: str, status: IssuerStatus) -> None:
        self._revision()
        _changed(self._run(_UPDATE_ISSUER_STATUS, (status, issuer_id)), f"issuer {issuer_id}")

    def record(self, *, at: int, actor: str, action: str, subject: str, details: str) -> None:
        # Imported here: what only reads starts faster without json and hashlib.
        from handclasp.registry.audit_chain import chained  # noqa: PLC0415

        row = self._run(_SELECT_LAST_AUDIT).fetchone()
        last = AuditEntry(*row) if row else None
        entry = chained(last, at=at, actor=actor, action=action, subject=subject, details=details)
        self._run(_INSERT_AUDIT, _values(entry))


def _make_private(path: Path) -> None:
    """Create the file if it is missing: SQLite would make it readable by others, and gives -wal and -shm its mode.

    One that is there is never opened beside SQLite: closing a descriptor of it would drop every lock this process
    holds on it (fcntl(2)), and the next process to close it would delete the log under an open connection
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        wrong = errno.EISDIR if path.is_dir() else errno.EACCES if not os.access(path, os.R_OK | os.W_OK) else None
        if wrong is not None:
            raise RegistryError(f"registry {path} cannot be opened: {os.strerror(wrong)}") from None
    except OSError as error:
        raise RegistryError(f"registry {path} cannot be opened: {error.strerror}") from error


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in record.__slots__)


def _client(row: tuple[Any, ...]) -> Client:
    name, environment, application, owner, contact, status, created_at = row
    return Client(name, environment, application, owner, contact, _CLIENT_STATUSES[status], created_at)


def _certificate(row: tuple[Any, ...]) -> Certificate:
    values = list(row)
    values[9] = CertificateStatus(values[9])
    values[13] = RevocationReason(values[13]) if values[13] else None
    return Certificate(*values)


def _issuer(row: tuple[Any, ...]) -> Issuer:
    values = list(row)
    values[1] = IssuerKind(values[1])
    values[7] = IssuerStatus(values[7])
    return Issuer(*values)


def _changed(cursor: sqlite3.Cursor, what: str) -> None:
    if cursor.rowcount != 1:
        raise NotRegistered(f"no {what} is registered")


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one, a trigger's body included: executescript would commit before it runs."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement) and statement.strip(" \n;"):
            yield statement
            statement = ""


@contextmanager
def _driver_errors(path: Path) -> Iterator[None]:
    """No driver error leaves: each becomes the registry error that says what to do."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        taken = next((text for column, text in _TAKEN.items() if column in str(error)), None)
        if taken:
            raise AlreadyRegistered(taken) from error
        raise RegistryError(f"the registry refuses the change: {error}") from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise RegistryBusy(
                f"registry {path} was held by another process for {BUSY_TIMEOUT_S:.0f} seconds",
                hint="look for a process that hangs with it open, then try again",
            ) from error
        raise RegistryError(f"registry {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise RegistryDamaged(f"registry {path} is damaged: {error}", hint="restore it from a backup") from error
