"""The registry's port: readers see committed state; every change is one transaction.

The contract, which one suite holds every adapter to:
- Inside `with registry.change() as change:` the writer is alone; leaving the block commits durably (the data has
  reached the disk before it returns), an exception rolls all of it back.
- `revision` grows by one with each committed change that can alter a decision, and with no other.
- Not found is NotRegistered; a name, serial number or public key already taken is AlreadyRegistered.
- Iterators may be long: adapters stream or page, and never hold the write lock while the caller reads.
- An operation is written only by who holds its newest lease: a lower `fence` is LeaseLost, and rolls back.
- Sightings, refusals, gateways, notices and checkpoints are told and remembered; no decision depends on them.
- Waiting for another writer ends in RegistryBusy; damaged storage in RegistryDamaged. No driver error leaves.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from handclasp.registry.fleet import Gateway, Refusals, Sighting
from handclasp.registry.operations import Operation
from handclasp.registry.records import (
    AuditCheckpoint,
    AuditEntry,
    Certificate,
    CertificateStatus,
    Client,
    ClientStatus,
    ClientSummary,
    Holding,
    Issuer,
    IssuerStatus,
    RevocationReason,
    Standing,
)

#: One row of a snapshot: its table, and its columns by name.
Row = tuple[str, dict[str, Any]]


class Reader(Protocol):
    def now(self) -> int:
        """The registry's own clock, seconds since 1970: the one that leases, reports and sightings are told by."""
        ...

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

    def holdings(self, *, issuer_id: str | None = None, after: str = "", clients: int = 500) -> list[Holding]:
        """The active certificates (of one issuer) of the first so many clients that have one, by name after `after`.

        A page: the next begins after the last client's name. Whole clients, a client's oldest certificate first.
        """
        ...

    def holders(self, *, issuer_id: str | None = None) -> int:
        """How many clients have an active certificate (of one issuer): how far `holdings` goes."""
        ...

    def compromised_keys(self) -> set[str]:
        """The public keys (`public_key_id`) of certificates that were revoked for keyCompromise."""
        ...

    def superseding(self, before: int, *, limit: int = 500) -> list[Holding]:
        """Active certificates that have been replaced and may be superseded at `before` or earlier, by that time."""
        ...

    def sighting(self, fingerprint: str) -> Sighting | None: ...

    def refusals(self) -> list[Refusals]:
        """By certificate and reason, the latest first."""
        ...

    def operation(self, operation_id: str) -> Operation:
        """Raises NotRegistered."""
        ...

    def operations(self, *, unfinished: bool = False) -> list[Operation]:
        """Newest first."""
        ...

    def gateways(self) -> list[Gateway]:
        """The last report of each gateway that has not said goodbye, by id."""
        ...

    def noticed(self, name: str) -> bool:
        """Whether the notice of that name has been remembered as sent."""
        ...

    def last_checkpoint(self) -> AuditCheckpoint | None: ...


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

    def set_replaced(self, certificate: Certificate, *, replaced_by: str, supersede_at: int) -> None:
        """Another has been delivered in its place; the earlier of two times stays. The revision stays too."""
        ...

    def add_issuer(self, issuer: Issuer) -> None: ...

    def set_issuer_status(self, issuer_id: str, status: IssuerStatus) -> None: ...

    def record(self, *, at: int, actor: str, action: str, subject: str, details: str) -> None:
        """Append to the audit trail. `details` is a JSON object's text."""
        ...

    def add_operation(self, operation: Operation) -> None: ...

    def save_operation(self, operation: Operation) -> None:
        """Replace it. Raises LeaseLost when somebody has taken the lease since (a higher `fence` is stored)."""
        ...

    def report_gateway(self, gateway: Gateway) -> None:
        """Its newest report takes the last one's place, with the registry's time."""
        ...

    def forget_gateway(self, gateway_id: str) -> None:
        """It said goodbye; nobody waits for it. One that is unknown is no error."""
        ...

    def add_sightings(self, sightings: Iterable[Sighting], refusals: Iterable[Refusals] = ()) -> None:
        """Add the counts, keep the latest times. A certificate that is not registered is left out, refused it counts
        under the fingerprint ""."""
        ...

    def remember_notice(self, name: str, at: int) -> None:
        """Remembered twice is remembered once."""
        ...

    def add_checkpoint(self, checkpoint: AuditCheckpoint) -> None: ...


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

    def last_audit(self) -> AuditEntry | None: ...

    def checkpoints(self) -> list[AuditCheckpoint]:
        """Oldest first."""
        ...

    def snapshot(self) -> Iterator[Row]:
        """Every row of every table as it is at one moment, while others go on writing; parents before children."""
        ...

    def load(self, rows: Iterable[Row]) -> None:
        """Take in a snapshot, of this or of another kind of registry, as one transaction.

        Raises AlreadyEstablished unless this registry is empty, RegistryDamaged for what is no snapshot.
        """
        ...

    def replace(self, rows: Callable[[list[Row]], Iterable[Row]]) -> None:
        """Put what `rows` makes of every row in the place of them all, as one transaction: nobody writes in between.

        It is given what `snapshot` gives and returns what `load` takes. Raises RegistryDamaged for what is no snapshot.
        """
        ...

    def close(self) -> None: ...
