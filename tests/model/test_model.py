"""Whatever is done to an authority in whatever order, the design's invariants hold: see `machine`."""

from hypothesis import settings

from tests.model.machine import Model
from tests.model.restoring import ModelWithRestore
from tests.model.world import in_memory, on_disk


class InMemory(Model):
    open_world = staticmethod(in_memory)


class OnDisk(ModelWithRestore):
    open_world = staticmethod(on_disk)


TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=40, stateful_step_count=25)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(max_examples=10, stateful_step_count=25)
