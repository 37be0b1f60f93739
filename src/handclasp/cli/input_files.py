"""Files the user names: read whole, bounded, and refused with a line that names the file."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from handclasp.cli.output import say
from handclasp.errors import InvalidInput

MAX_BYTES = 1_048_576
#: OpenSSL's limit for passphrases (PEM_BUFSIZE less its terminator).
MAX_PASSPHRASE_BYTES = 1_023
_STDIN = "-"


def read_file(path: str, what: str) -> bytes:
    """The content of `path`, or of stdin for "-". Raises InvalidInput if it is missing, unreadable or too large."""
    try:
        if path == _STDIN:
            return _bounded(os.fdopen(os.dup(0), "rb"), what, "standard input")
        return _bounded(Path(path).open("rb"), what, path)
    except OSError as error:
        raise InvalidInput(f"{what} {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise InvalidInput(f"{what} {path} cannot be read: that is no file name") from None


def read_passphrase_file(path: str, what: str) -> bytes:
    """The first line of a file, without its end. Raises InvalidInput if it is empty or too long."""
    content = read_file(path, what)
    if path != _STDIN and _others_may_read(path):
        say(f"warning: {what} {path} can be read by others; chmod 0600 it")
    return _first_line(content, f"{what} {path}")


def read_passphrase_descriptor(descriptor: int, what: str) -> bytes:
    """The first line that comes through an open file descriptor. Raises InvalidInput."""
    try:
        content = _bounded(os.fdopen(os.dup(descriptor), "rb"), what, f"descriptor {descriptor}")
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such descriptor"
        raise InvalidInput(f"{what} cannot be read from descriptor {descriptor}: {reason}") from None
    return _first_line(content, what)


def _bounded(file: BinaryIO, what: str, name: str) -> bytes:
    with file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{what} {name} is larger than {MAX_BYTES:,} bytes, the most that is read")
    return content


def _first_line(content: bytes, what: str) -> bytes:
    line = content.split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise InvalidInput(f"{what} is empty: its first line is the passphrase")
    if len(line) > MAX_PASSPHRASE_BYTES:
        raise InvalidInput(f"{what} is {len(line):,} bytes long; a passphrase has at most {MAX_PASSPHRASE_BYTES:,}")
    return line


def _others_may_read(path: str) -> bool:
    status = Path(path).stat()
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o077)
