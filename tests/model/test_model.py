"""Whatever is done to an authority, in whatever order and however it ends, the design's invariants hold.

Hypothesis tells the stories: see `machine` for how a step is taken and `invariants` for what is looked at after each.
They are always the same ones, so that a change is judged by what it changed: the slow run tells more and longer ones.
For new ones set HYPOTHESIS_RANDOM, to anything, and take the slow run.
"""

import os

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.operating import Operating
from tests.model.passing import Passing
from tests.model.restoring import Restoring
from tests.model.rotating import Rotating
from tests.model.world import in_memory, on_disk


class InMemory(Operating, Rotating, Passing):
    open_world = staticmethod(in_memory)


class OnDisk(Restoring, Rotating, Passing):
    open_world = staticmethod(on_disk)


@pytest.mark.parametrize(("machine", "stories"), [(InMemory, 40), (OnDisk, 20)])
def test_the_invariants_hold_in_every_story(machine: type[Machine], stories: int) -> None:
    # A story that fails is told as it is: to find a shorter one takes minutes, and the slow run does.
    chosen = settings(max_examples=stories, stateful_step_count=25, derandomize=True, phases=[Phase.generate])
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "stories"), [(InMemory, 100), (OnDisk, 40)])
def test_the_invariants_hold_in_many_long_stories(machine: type[Machine], stories: int) -> None:
    is_fixed = "HYPOTHESIS_RANDOM" not in os.environ
    chosen = settings(max_examples=stories, stateful_step_count=50, derandomize=is_fixed)
    run_state_machine_as_test(machine, settings=chosen)
