"""The schedule inside `up`: it ticks every minute beside the gateway, and never stops it.

Two threads, because an operation may wait for days until nobody uses an old certificate, and what else is due must not
wait for that. Each tick has a session of its own: a registry connection is one thread's, and `now` is one moment's.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from handclasp.cli.context import Session
from handclasp.cli.output import say
from handclasp.cli.scheduled import PARTS, Outcome, Ticking, tick
from handclasp.gateway.stop import Stop

TICK_SECONDS = 60.0
#: The wall clock went on by more than this beside the monotonic one: the machine was asleep, or its clock was set.
_ASLEEP_SECONDS = 60.0
#: How often what ends is looked for: it walks through every certificate.
_WATCH_SECONDS = 600.0
#: An operation that somebody stopped is theirs to resume for so long.
_HANDS_OFF = timedelta(minutes=10)
_OPERATIONS = ("operations",)
_ALONE = tuple(part for part in PARTS if part not in _OPERATIONS)
#: Until the gateways have reported again nobody was seen, and that proves nothing.
_NEED_REPORTS = frozenset({"superseding", "watch"})
#: A message that is on its way is given this long before the process ends all the same.
_STOP_SECONDS = 5.0


class Sleeper:
    """Tells whether the machine was asleep since it was last asked."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._before = self._difference()

    def was_asleep(self) -> bool:
        before, self._before = self._before, self._difference()
        return abs(self._before - before) > _ASLEEP_SECONDS

    def _difference(self) -> float:
        return self._wall() - self._monotonic()


class Agenda:
    """Which of its parts a tick is to do."""

    def __init__(self, parts: Sequence[str], sleeper: Sleeper, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._sleeper, self._monotonic = parts, sleeper, monotonic
        self._watched = -_WATCH_SECONDS

    def due(self) -> list[str]:
        now = self._monotonic()
        left_out = set(_NEED_REPORTS) if self._sleeper.was_asleep() else set()
        if now - self._watched < _WATCH_SECONDS:
            left_out.add("watch")
        due = [part for part in self._parts if part not in left_out]
        if "watch" in due:
            self._watched = now
        return due


@contextmanager
def scheduling(
    session: Session, stop: Stop, *, pause: float = TICK_SECONDS, hands_off: timedelta = _HANDS_OFF
) -> Iterator[None]:
    """Tick until `stop` is set; the block ends when the threads have, or have had their time for it."""
    threads = [
        threading.Thread(
            target=_keep_ticking, args=(session, stop, parts, pause, hands_off), daemon=True, name="schedule"
        )
        for parts in (_OPERATIONS, _ALONE)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_STOP_SECONDS)


def _keep_ticking(session: Session, stop: Stop, parts: Sequence[str], pause: float, hands_off: timedelta) -> None:
    agenda, said = Agenda(parts, Sleeper()), Said()
    while not stop.wait(pause):
        _tick_once(session, stop, agenda.due(), said, hands_off)


def _tick_once(session: Session, stop: Stop, parts: Sequence[str], said: "Said", hands_off: timedelta) -> None:
    from handclasp.cli.boundary import words  # noqa: PLC0415

    own = Session(str(session.state), str(session.config) if session.config else None)
    own.settings = session.settings
    try:
        outcomes = tick(Ticking(own, stop.wait, say, hands_off=hands_off), parts)
        own.close()
    except Exception as error:  # whatever it is, the gateway goes on
        outcomes = [Outcome("schedule", error=words(error)[0])]
    for line in said.news(outcomes):
        say(line)


class Said:
    """What was said of each part last: an error is said once, and once more that it is over."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def news(self, outcomes: Sequence[Outcome]) -> Iterator[str]:
        for outcome in outcomes:
            before = self._errors.pop(outcome.part, None)
            if outcome.error is not None:
                self._errors[outcome.part] = outcome.error
                if outcome.error != before:
                    yield f"warning: schedule: {outcome.part}: {outcome.error}"
            elif before is not None:
                yield f"schedule: {outcome.part}: works again"
            elif outcome.done and outcome.part != "watch":
                yield f"schedule: {outcome.part}: {outcome.done}"
