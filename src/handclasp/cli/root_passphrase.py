"""The root's passphrase: from a file, a descriptor, or asked for on a terminal; never from the command line."""

import sys

import click

from handclasp.cli.input_files import read_passphrase_descriptor, read_passphrase_file
from handclasp.errors import InvalidInput

_WHAT = "root passphrase"


def given_passphrase(file: str | None, descriptor: int | None) -> bytes | None:
    """What the options bring, None if they bring nothing. Raises InvalidInput."""
    if file is not None and descriptor is not None:
        raise InvalidInput("pass --root-passphrase-file or --root-passphrase-fd, not both")
    if file is not None:
        return read_passphrase_file(file, f"{_WHAT} file")
    if descriptor is not None:
        return read_passphrase_descriptor(descriptor, _WHAT)
    return None


def asked_passphrase(*, twice: bool = True) -> bytes:
    """Ask on the terminal. Raises InvalidInput when there is none to ask on."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InvalidInput(
            f"no {_WHAT} was given, and there is no terminal to ask on",
            hint="pass --root-passphrase-file FILE or --root-passphrase-fd N",
        )
    text = click.prompt("Root passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return str(text).encode()


class RootPassphrase:
    """Asked for once, and forgotten when it has been used: what waits for days must not hold it."""

    def __init__(self, file: str | None) -> None:
        self._file = file
        self._held: bytes | None = None

    def look(self) -> bytes:
        """To try it. Raises InvalidInput when there is neither a file nor a terminal."""
        if self._held is None:
            found = given_passphrase(self._file, None)
            self._held = asked_passphrase(twice=False) if found is None else found
        return self._held

    def __call__(self) -> bytes:
        """To use it, which is the last time."""
        found, self._held = self.look(), None
        return found

    def __repr__(self) -> str:
        return "RootPassphrase()"
