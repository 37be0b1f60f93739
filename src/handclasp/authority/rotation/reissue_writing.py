"""The one writer of a re-issue: rows, then files, then the note that they were delivered.

Whether the world has changed since a client was read is asked once a transaction: the registry's revision grows with
every change that matters to a decision, so while it has grown by our own commits only, everything still stands.
Otherwise each client is looked at again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handclasp.authority.enrol import refuse_foreign_key, refuse_retired
from handclasp.authority.issuers import Signing
from handclasp.authority.operations.operation import Run
from handclasp.authority.rotation.bulk_signing import Signed
from handclasp.authority.rotation.reissue_choice import Renewal
from handclasp.authority.rotation.reissue_unfinished import Entry, noted
from handclasp.delivery.port import Credential, Delivery, Staged
from handclasp.errors import DeliveryFailed, HandclaspError, KeyUnavailable, RequestRejected
from handclasp.pki.pem import certificate_pem
from handclasp.registry.port import Change
from handclasp.registry.records import Certificate, CertificateStatus, ClientStatus, RevocationReason

#: A revocation waits for the write lock no longer than about this, whatever the disk.
LOCKED_SECONDS = 0.1
#: So many failures are no accident of one client's folder: the run stops, and its list stays short.
MOST_FAILURES = 200


@dataclass(frozen=True, slots=True)
class Issue:
    """A renewal and what was signed for it. `lost` is one that was signed for it before and can reach nobody."""

    renewal: Renewal
    signed: Signed
    lost: Certificate | None = None

    @property
    def certificate(self) -> Certificate:
        return self.signed.certificate

    @property
    def entry(self) -> Entry:
        before, made = self.renewal.before, self.certificate
        return before.issuer_id, before.serial_number, made.issuer_id, made.serial_number


@dataclass(frozen=True, slots=True)
class Committed:
    """Issues whose rows are durable. Each was looked at when the registry had revision `as_of`; None: it was not."""

    issues: Sequence[Issue]
    as_of: int | None = None


class Writer:
    """Belongs to one run. `carried` are the entries of an earlier run."""

    def __init__(
        self,
        run: Run,
        delivery: Delivery,
        signing: Signing,
        supersede_at: Callable[[int], int],
        carried: Sequence[Entry] = (),
    ) -> None:
        self._run = run
        self._delivery = delivery
        self._signing = signing
        self._supersede_at = supersede_at
        self._chain = certificate_pem(*signing.sent)
        self._anchors = certificate_pem(*signing.anchors)
        self._own_commits = 0
        self._altered = False
        self._compromised = run.registry.compromised_keys()
        #: what is not noted as delivered, by the new certificate's serial number: what the next run is to know of
        self._open = {entry[-1]: entry for entry in carried}
        #: switched over, and not known to be durable
        self._handed: list[Issue] = []
        self._failed: list[Issue] = []
        self._first_failure = ""

    def revision(self) -> int:
        """The registry's, less our own commits: it stays the same as long as nobody else changes anything."""
        return self._run.registry.revision() - self._own_commits

    def commit(self, issues: Sequence[Issue], revision: int) -> Committed:
        """Make the certificates known. Returns those that were: not of clients that changed since `revision`."""
        with self._change() as change:
            as_of = self.revision()
            if as_of != revision:
                refuse_retired(change, self._signing)
                issues = [each for each in issues if self._still_stands(change, each)]
            issues = [each for each in issues if each.certificate.public_key_id not in self._compromised]
            for each in issues:
                if each.lost is not None:
                    self._revoke_undelivered(change, each.lost, RevocationReason.SUPERSEDED)
                change.add_certificate(each.certificate)
                self._open[each.certificate.serial_number] = each.entry
                self._altered = True
                self._record(change, each)
            self._run.save(change, undelivered=noted(self._open.values()))
        return Committed(issues, as_of)

    def deliver(self, committed: Committed, **progress: Any) -> None:
        """Hand them over, in transactions that are short however slow the files are. `progress` is for `Run.save`.

        They are noted as delivered one call later, or by `finish_delivery`: one flush is for these files and for the
        links of those before. Raises DeliveryFailed when too many have failed.
        """
        staged = deque((each, ready) for each in committed.issues if (ready := self._staged(each)))
        self._delivery.flush()
        durable, self._handed = self._handed, []
        while True:
            with self._change() as change:
                until = time.monotonic() + LOCKED_SECONDS
                is_as_it_was = self.revision() == committed.as_of
                self._note_delivered(change, durable)
                durable = []
                while staged:
                    each, ready = staged.popleft()
                    if is_as_it_was or self._may_be_delivered(change, each):
                        self._hand_over(each, ready)
                    if time.monotonic() >= until:
                        break
                self._run.save(change, undelivered=noted(self._open.values()), **({} if staged else progress))
            if not staged:
                break
        if len(self._failed) >= MOST_FAILURES:
            self.finish_delivery()
            self.finish()

    def finish_delivery(self) -> None:
        """Note what was handed over last."""
        self._delivery.flush()
        with self._change() as change:
            self._note_delivered(change, self._handed)
            self._handed = []
            self._run.save(change, undelivered=noted(self._open.values()))

    def finish(self) -> None:
        """Raises DeliveryFailed if some could not be delivered."""
        if self._failed:
            raise DeliveryFailed(
                f"{len(self._failed)} certificates could not be delivered; the first: {self._first_failure}",
                hint="the clients go on with the certificates they have: mend that",
            )

    @contextmanager
    def _change(self) -> Iterator[Change]:
        self._altered = False
        with self._run.registry.change() as change:
            yield change
        self._own_commits += self._altered

    def _still_stands(self, change: Change, issue: Issue) -> bool:
        renewal = issue.renewal
        if change.client(renewal.client.client_id).status is ClientStatus.REVOKED:
            return False
        if _current(change, renewal.before).status is not CertificateStatus.ACTIVE:
            return False
        try:
            refuse_foreign_key(change, issue.certificate)
        except RequestRejected as refused:
            self._run.tell(f"client {renewal.client.client_id} keeps its certificate: {refused}")
            return False
        return True

    def _may_be_delivered(self, change: Change, issue: Issue) -> bool:
        """Never after a revocation: of the client, of this certificate, or of the one it is to replace."""
        if _current(change, issue.certificate).status is not CertificateStatus.ACTIVE:
            self._open.pop(issue.certificate.serial_number, None)
            return False
        before = _current(change, issue.renewal.before)
        if before.status is CertificateStatus.ACTIVE:
            return True
        # What was wrong with a certificate may be wrong with its key.
        reason = before.revocation_reason if not issue.renewal.rekey else None
        self._revoke_undelivered(change, issue.certificate, reason or RevocationReason.SUPERSEDED)
        return False

    def _revoke_undelivered(self, change: Change, nobodys: Certificate, reason: RevocationReason) -> None:
        self._open.pop(nobodys.serial_number, None)
        change.set_certificate_status(nobodys, CertificateStatus.REVOKED, at=change.now(), reason=reason)
        self._altered = True
        self._run.record(
            change,
            "certificate.revoke",
            nobodys.client_id or "-",
            serial_number=nobodys.serial_number,
            reason=reason.value,
            delivered=False,
        )

    def _record(self, change: Change, issue: Issue) -> None:
        made, renewal = issue.certificate, issue.renewal
        self._run.record(
            change,
            "certificate.reissue",
            renewal.client.client_id,
            serial_number=made.serial_number,
            fingerprint=made.fingerprint,
            not_after=made.not_after,
            replaces=renewal.before.serial_number,
            rekey=renewal.rekey,
        )

    def _staged(self, issue: Issue) -> Staged | None:
        signed = issue.signed
        credential = Credential(
            client_id=issue.renewal.client.client_id,
            certificate=signed.pem,
            full_chain=signed.pem + self._chain,
            trust_anchor=self._anchors,
            key=signed.key,
            keep_key=signed.key is None,
            keep_archive=True,
            public_key=signed.public_key,
        )
        try:
            return self._delivery.stage(credential)
        except (DeliveryFailed, KeyUnavailable) as error:
            self._note_failure(issue, error)
            return None

    def _hand_over(self, issue: Issue, ready: Staged) -> None:
        try:
            ready.commit()
        except (DeliveryFailed, KeyUnavailable) as error:
            self._note_failure(issue, error)
            return
        self._handed.append(issue)

    def _note_delivered(self, change: Change, issues: Sequence[Issue]) -> None:
        at = change.now()
        supersede_at = self._supersede_at(at)
        for each in issues:
            made = each.certificate
            self._open.pop(made.serial_number, None)
            change.set_delivered(made.issuer_id, made.serial_number, at)
            for replaced in each.renewal.replaces:
                change.set_replaced(replaced, replaced_by=made.fingerprint, supersede_at=supersede_at)

    def _note_failure(self, issue: Issue, error: HandclaspError) -> None:
        self._failed.append(issue)
        self._first_failure = self._first_failure or str(error)
        name = issue.renewal.client.client_id
        self._run.tell(f"client {name}: not delivered: {error}", client=name, failed=True)


def _current(change: Change, certificate: Certificate) -> Certificate:
    return change.certificate(certificate.issuer_id, certificate.serial_number)
