"""The state folder: made private, and told when it is not."""

import os
from collections.abc import Iterator
from pathlib import Path

from handclasp.atomic_file import make_private_folder
from handclasp.cli.output import say
from handclasp.errors import InvalidInput
from handclasp.settings import CONFIGURATION_FILE

_OTHERS = 0o077


def prepare_state_folder(path: Path) -> None:
    """Make it, 0700. One that is there and in use keeps its mode, with a warning. Raises InvalidInput."""
    if not path.exists():
        make_private_folder(path)
        return
    if not path.is_dir():
        raise InvalidInput(f"state {path} is not a folder")
    mode = path.stat().st_mode & 0o777
    if not mode & _OTHERS:
        return
    if {entry.name for entry in path.iterdir()} <= {CONFIGURATION_FILE}:
        path.chmod(0o700)
    else:
        say(f"warning: state {path} is open to others (mode {mode:04o}); chmod 0700 it")


def open_to_others(state: Path, public: frozenset[Path]) -> Iterator[tuple[Path, int]]:
    """What below `state` somebody else could reach and read or write, with its mode; `public` may be read.

    A folder closed to others protects what is in it, so the walk ends there.
    """
    if not state.stat().st_mode & _OTHERS:
        return
    for folder, names, files in os.walk(state):
        here = Path(folder)
        closed = [name for name in names if not (here / name).stat(follow_symlinks=False).st_mode & _OTHERS]
        names[:] = [name for name in names if name not in closed]
        for path in (here, *(here / name for name in files)):
            mode = path.stat(follow_symlinks=False).st_mode & 0o777
            if mode & (0o022 if path in public else _OTHERS) and not path.is_symlink():
                yield path, mode
