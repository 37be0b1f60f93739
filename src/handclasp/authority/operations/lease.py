"""Who works on an operation: a name for this process, and whether the process of such a name still runs.

A process that was killed holds its lease for nobody: on its own machine that is seen at once, by process id and the
moment it was started (proc(5)), so the next run need not wait until the lease is over. On another machine it waits.
"""

import os
from pathlib import Path

#: Renewed at a third of it while work goes on.
LEASE_SECONDS = 60

_STARTED = 19  # field 22 of /proc/PID/stat, counted after the command's closing bracket


def this_process() -> str:
    """`host/pid/start`: it names one process for good, even after its number is used again."""
    pid = os.getpid()
    return f"{os.uname().nodename}/{pid}/{_started(pid) or 0}"


def is_gone(holder: str) -> bool:
    """True only when the holder is known to run no more: its machine is this one, and it is not there."""
    host, _, rest = holder.rpartition("/")[0].rpartition("/")
    start = holder.rpartition("/")[2]
    if host != os.uname().nodename or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    started = _started(int(rest))
    return started is not None and start not in {"0", started}


def _started(pid: int) -> str | None:
    """None where there is no /proc, or no such process any more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return stat.rpartition(")")[2].split()[_STARTED]
    except (OSError, IndexError):
        return None
