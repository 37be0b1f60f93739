"""The same stories, with backups taken at any moment and brought back at any other."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from handclasp.authority.backup.backup import back_up
from handclasp.authority.backup.backup_archive import Archive, packed, unpacked
from handclasp.authority.backup.restore import restore
from handclasp.errors import HandclaspError, InvalidInput
from handclasp.registry.records import IssuerStatus, RevocationReason
from tests.model.faults import Fault, Killed
from tests.model.machine import TIME, names, short_faults
from tests.model.operating import Operating, reasons


class Restoring(Operating):
    """Adapters whose snapshots can be read by others: not the registry in memory."""

    @initialize()
    def without_backup(self) -> None:
        self.archives: list[Archive] = []
        self.restores = 0

    @rule()
    def take_a_backup(self) -> None:
        sound = self.world.authority(None)
        made = back_up(
            registry=sound.registry,
            custody=sound.custody,
            truststore=sound.truststore,
            delivery=sound.delivery,
            settings=None,
        )
        self.archives.append(unpacked(packed(made.archive), "the backup"))

    @rule(which=st.integers(0, 3), fault=short_faults)
    def bring_one_back(self, which: int, fault: Fault | None) -> None:
        """A restore that was struck is done again: until then no other command would work on it.

        A story that has no backup yet takes its first one here, so that most have one when it matters.
        """
        if not self.archives:
            self.take_a_backup()
            return
        archive = self.archives[-1 - which % len(self.archives)]
        self.restores += 1
        for struck in (fault, None):
            try:
                self._restore(archive, struck)
                break
            except InvalidInput:
                assert self._is_too_old(archive)
                return
            except (Killed, HandclaspError):
                if struck is None:
                    raise
        self.left_behind = set()
        self.world.start_gateway()
        self.ledger.take_in(restored=True)

    @rule(name=names, reason=reasons, fault=short_faults)
    def bring_back_what_was_before_a_revocation(self, name: str, reason: RevocationReason, fault: Fault | None) -> None:
        self.take_a_backup()
        self.revoke_one(name, 0, reason)
        self.bring_one_back(0, fault)

    def _is_too_old(self, archive: Archive) -> bool:
        """Whether every issuer that signs in it has been retired since."""
        intermediates = [row for row in archive.tables()["issuer"] if row["parent_id"]]
        signing = {row["issuer_id"] for row in intermediates if row["status"] == "active"}
        return bool(signing) and signing <= self.ledger.retired and self._signs()

    def _signs(self) -> bool:
        return any(i.parent_id and i.status is IssuerStatus.ACTIVE for i in self.world.seen.issuers())

    def _restore(self, archive: Archive, fault: Fault | None) -> None:
        into = self.world.authority(fault)
        try:
            restore(
                archive,
                run=f"run-{self.restores}",
                registry=into.registry,
                custody=into.custody,
                truststore=into.truststore,
                delivery=into.delivery,
                actor="tester",
                now=into.now,
            )
            self.unpublished = False
        except TIME:
            if (fault is None or not fault.struck) and not self.is_out_of_time():
                raise
            self.unpublished = True
            if fault is not None:
                raise
