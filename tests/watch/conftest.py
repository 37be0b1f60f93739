"""A terminal whose state holds an authority, as the schedule's tests have it, and a webhook that takes what it gets."""

from tests.notice.conftest import receiver
from tests.schedule.conftest import made, terminal

__all__ = ["made", "receiver", "terminal"]
