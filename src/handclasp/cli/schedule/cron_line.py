"""The line for cron: pure text. crontab(5)."""

import shlex
import zlib
from collections.abc import Sequence
from datetime import timedelta

from handclasp.errors import InvalidInput

_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
#: Clocks that change do so between midnight and four: an hour in which a day's run could be skipped or doubled.
_QUIET_HOUR = 5


def cron_line(command: Sequence[str], rate: timedelta, *, user: str | None = None) -> str:
    """Five fields, the user's name for a file in /etc/cron.d, and the command, its minute spread by the command.

    Raises InvalidInput for a rate or a path that cron cannot express.
    """
    written = shlex.join(command)
    # A backslash before % is cron's own escape, and crons differ in what any other one means.
    if not written.isprintable() or "\\" in written:
        raise InvalidInput("a path holds what does not print, or a backslash: cron cannot name it")
    return " ".join(
        [_fields(rate, zlib.crc32(written.encode())), *([user] if user else []), written.replace("%", "\\%")]
    )


def _fields(rate: timedelta, spread: int) -> str:
    seconds = int(rate.total_seconds())
    minute = spread % 60
    if seconds == 7 * _DAY:
        return f"{minute} {_QUIET_HOUR} * * 1"
    if seconds == _DAY:
        return f"{minute} {_QUIET_HOUR} * * *"
    if seconds % _HOUR == 0 and _DAY % seconds == 0:
        return f"{minute} */{seconds // _HOUR} * * *" if seconds > _HOUR else f"{minute} * * * *"
    if seconds % _MINUTE == 0 and _HOUR % seconds == 0:
        return f"*/{seconds // _MINUTE} * * * *" if seconds > _MINUTE else "* * * * *"
    raise InvalidInput(
        "cron cannot express the setting rotation.rate",
        hint="minutes that divide an hour, hours that divide a day, 1d or 7d; a systemd timer takes any",
    )
