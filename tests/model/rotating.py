"""Rotations: begun, stopped anywhere, taken up, abandoned."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from handclasp.authority.rotation.rotate_clients import ROTATE_CLIENTS, client_rotation_arguments
from handclasp.authority.rotation.rotate_issuer import ROTATE_ISSUER, ROTATE_ROOT
from handclasp.authority.rotation.supersede import supersede_due
from handclasp.errors import TransitionRefused
from handclasp.registry.operations import Operation, OperationStatus
from tests.model import rotations
from tests.model.faults import Fault, Kind
from tests.model.machine import Machine, names, short_faults

_faults = st.one_of(
    st.none(),
    st.none(),
    st.builds(Fault, st.integers(1, 120), st.sampled_from([Kind.KILL, Kind.ERROR])),
    st.builds(Fault, st.integers(1, 30), st.just(Kind.INTERRUPT)),
)
_firsts = st.sampled_from(["go on", "go on", "go on", "abandon", "nothing"])


class Rotating(Machine):
    """Rotate clients, the issuer and the root; supersede what is due."""

    @rule(
        first=_firsts,
        name=st.one_of(st.none(), names),
        due=st.booleans(),
        rekey=st.booleans(),
        overlap=st.sampled_from([60, 86_400]),
        fault=_faults,
    )
    def rotate_clients(
        self, first: str, name: str | None, due: bool, rekey: bool, overlap: int, fault: Fault | None
    ) -> None:
        self._first(first, {ROTATE_CLIENTS})
        arguments = client_rotation_arguments(
            clients=None if name is None else [name], due=due, rekey=rekey, overlap_seconds=overlap
        )
        self.do(lambda: rotations.rotate(self.world, ROTATE_CLIENTS, arguments, fault=fault), fault, TransitionRefused)

    @rule(
        first=_firsts,
        kind=st.sampled_from([ROTATE_ISSUER, ROTATE_ISSUER, ROTATE_ISSUER, ROTATE_ROOT]),
        rekey=st.booleans(),
        emergency=st.sampled_from([False, False, False, True]),
        until=st.sampled_from(rotations.UNTIL),
        fault=_faults,
    )
    def rotate_issuer(
        self, first: str, kind: str, rekey: bool, emergency: bool, until: str | None, fault: Fault | None
    ) -> None:
        self._first(first, {ROTATE_ISSUER, ROTATE_ROOT})
        arguments = {
            "idle_for": 60,
            "deadline": 600,
            "days": None,
            "rekey": rekey,
            "emergency": emergency,
            "reason": "keyCompromise" if emergency else None,
        }
        self.do(
            lambda: self._rotated(rotations.rotate(self.world, kind, arguments, fault=fault, until=until)),
            fault,
            TransitionRefused,
        )

    @rule(fault=_faults, agreeing=st.booleans())
    def take_up(self, fault: Fault | None, agreeing: bool) -> None:
        for each in self.world.seen.operations(unfinished=True)[:1]:
            self._take_up(each, fault, agreeing=agreeing)

    @rule(fault=short_faults)
    def abandon(self, fault: Fault | None) -> None:
        for each in self.world.seen.operations(unfinished=True)[:1]:
            self._abandon(each, fault)

    def _first(self, first: str, kinds: set[str]) -> None:
        """What is done about an unfinished one of the kind before another is begun."""
        for each in self.world.seen.operations(unfinished=True):
            if each.kind in kinds and first == "go on":
                self._take_up(each, None, agreeing=True)
            elif each.kind in kinds and first == "abandon":
                self._abandon(each, None)

    def _take_up(self, operation: Operation, fault: Fault | None, *, agreeing: bool) -> None:
        self.do(lambda: self._rotated(rotations.resume(self.world, operation, fault=fault, agreeing=agreeing)), fault)

    def _abandon(self, operation: Operation, fault: Fault | None) -> None:
        self.do(lambda: rotations.give_up(self.world, operation, fault=fault), fault)

    def _rotated(self, operation: Operation) -> None:
        if operation.status is OperationStatus.DONE and operation.kind != ROTATE_CLIENTS:
            self.unpublished = False

    @rule(fault=short_faults)
    def supersede(self, fault: Fault | None) -> None:
        registry = self.world.authority(fault).registry
        self.do(
            lambda: supersede_due(
                registry=registry,
                actor="tester",
                settle=rotations.SETTLE,
                wait=lambda seconds: self.world.wait(seconds, fault),
            ),
            fault,
        )
