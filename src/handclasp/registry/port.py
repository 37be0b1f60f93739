"""The registry's port: readers see committed state; every change is one transaction.

The contract, which one suite holds every adapter to:
- Inside `with registry.change() as change:` the writer is alone; leaving the block commits durably (the data has
  reached the disk before it returns), an exception rolls all of it back.
- `revision` grows by one with each committed change that can alter a decision, and with no other.
- Not found is NotRegistered; a name, serial number or public key already taken is AlreadyRegistered.
- Iterators may be long: adapters stream or page, and never hold the write lock while the caller reads.
- Waiting for another writer ends in RegistryBusy; damaged storage in RegistryDamaged. No driver error leaves.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from handclasp.registry.records import (
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    ClientSummary,
    Issuer,
    IssuerStatus,
    RevocationReason,
    Standing,
)


class Reader(Protocol):
    def client(self, client_id: str) -> Client:
        """The client of that name, in any case of letters. Raises NotRegistered."""
        ...

    def certificate(self, issuer_id: str, serial_number: str) -> Certificate:
        """Raises NotRegistered."""
        ...

    def certificates(self, client_id: str) -> list[Certificate]:
        """A client's certificates, oldest first."""
        ...

    def public_key_owner(self, public_key_id: str) -> str | None:
        """The client a certified public key belongs to, "" if it is nobody's (a server's), None if unknown."""
        ...

    def issuers(self) -> list[Issuer]:
        """All issuers, oldest first."""
        ...


class Change(Reader, Protocol):
    """What a transaction may do. Reads inside it see its own writes."""

    def add_client(self, client: Client) -> None: ...

    def set_client_status(self, client_id: str, status: ClientStatus) -> None: ...

    def add_certificate(self, certificate: Certificate) -> None: ...

    def set_certificate_status(
        self,
        certificate: Certificate,
        status: CertificateStatus,
        *,
        at: int,
        reason: RevocationReason | None,
    ) -> None: ...

    def set_delivered(self, issuer_id: str, serial_number: str, at: int) -> None:
        """Not a decision's matter: the revision stays."""
        ...

    def add_issuer(self, issuer: Issuer) -> None: ...

    def set_issuer_status(self, issuer_id: str, status: IssuerStatus) -> None: ...

    def record(self, *, at: int, actor: str, action: str, subject: str, details: str) -> None:
        """Append to the audit trail. `details` is a JSON object's text."""
        ...


class Registry(Reader, Protocol):
    def change(self) -> AbstractContextManager[Change]: ...

    def summaries(self) -> Iterator[ClientSummary]:
        """Every client by name, with the counts `client list` shows."""
        ...

    def revision(self) -> int: ...

    def has_changed(self) -> bool:
        """True if anybody may have committed since the last call; cheap enough to ask every 20 ms."""
        ...

    def standings(self, *, since: int = 0) -> Iterator[Standing]:
        """Each certificate whose own or whose client's decision may have changed after revision `since`."""
        ...

    def audit(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """The audit trail in order, after sequence number `after`."""
        ...

    def close(self) -> None: ...
