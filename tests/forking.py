"""A child process for what may kill it."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

_NOBODY = 65534


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; its exit status: 0, 1 after an exception, minus the signal that killed it."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def become_nobody(path: Path) -> None:
    """In a child: give up root, whom no mode keeps out. The way to `path` is opened first; who is not root stays."""
    if os.getuid() != 0:
        return
    for folder in path.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and str(folder) != tempfile.gettempdir():
            folder.chmod(folder.stat().st_mode | 0o011)
    os.setuid(_NOBODY)
