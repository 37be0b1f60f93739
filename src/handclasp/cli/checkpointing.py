"""Sign the audit trail's head when it is due, after whatever was done; and note it elsewhere if that is set.

A checkpoint that cannot be made fails no command: what the command did is done. It is said, and the next one tries.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from handclasp.authority.audit.checkpoint_due import is_due
from handclasp.cli.output import say
from handclasp.errors import HandclaspError, KeyUnavailable, RegistryError

if TYPE_CHECKING:
    from handclasp.custody.port import Custody
    from handclasp.registry.port import Registry
    from handclasp.registry.records import AuditCheckpoint
    from handclasp.settings import Settings


def checkpoint_when_due(
    registry: "Registry", custody: "Callable[[], Custody]", settings: "Settings", actor: str
) -> None:
    """Never raises an error of ours. The custody is opened only when there is something to sign."""
    try:
        if is_due(registry, settings.audit.checkpoint_every):
            from handclasp.authority.audit.checkpoint import checkpoint_now  # noqa: PLC0415

            made = checkpoint_now(registry, custody(), actor=actor)
            if made is not None:
                note_elsewhere(settings, made)
    except RegistryError:
        return  # the command itself has met it, or the next one will
    except KeyUnavailable as error:
        if not _holds_no_keys(custody):
            say(f"warning: the audit trail was not signed: {error}")
    except HandclaspError as error:
        say(f"warning: the audit trail was not signed: {error}")


def _holds_no_keys(custody: "Callable[[], Custody]") -> bool:
    """True on a machine that only has gateways: the trail is signed where the keys are, and nothing is amiss."""
    try:
        return not custody().sealed()
    except HandclaspError:
        return False


def note_elsewhere(settings: "Settings", checkpoint: "AuditCheckpoint") -> None:
    """Append it to `audit.checkpoint_file`, if that is set. What goes wrong is said."""
    from handclasp.cli.checkpoint_text import checkpoint_line  # noqa: PLC0415

    name = settings.audit.checkpoint_file
    if name is None:
        return
    path = settings.state / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # One write: the lines of two processes do not mix (O_APPEND, POSIX).
            os.write(descriptor, checkpoint_line(checkpoint).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        say(f"warning: the checkpoint was not noted in {path}: {error.strerror}")
