"""Where a backup goes: opened, compared, locked against gateways, and noted as under way until all of it is done."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handclasp import bootstrap
from handclasp.authority.backup.restore import Restored, compare, is_living, refuse_while_gateways_run, restore
from handclasp.cli.output import say
from handclasp.cli.unfinished_restore import UnfinishedRestore, forget_restore, note_restore, unfinished_restore
from handclasp.errors import HandclaspError, NotEstablished, RegistryDamaged
from handclasp.registry.merge import Difference

if TYPE_CHECKING:
    from handclasp.authority.backup.backup_archive import Archive
    from handclasp.cli.context import Session
    from handclasp.registry.port import Registry


@dataclass(frozen=True, slots=True)
class Target:
    """`registry` is None where there is none yet, or none that can be read (`is_damaged`). `may_replace`: that was
    asked for, or this restore had begun already."""

    registry: "Registry | None"
    is_damaged: bool
    is_living: bool
    may_replace: bool
    difference: Difference
    note: UnfinishedRestore


@contextmanager
def open_target(
    session: "Session", archive: "Archive", file: Path, *, replace: bool, dry_run: bool
) -> Iterator[Target]:
    """Compared with the backup, nothing changed yet. Raises what `authority.restore.compare` does, StateInUse, and
    RegistryDamaged for a registry that cannot be read, unless it may be replaced."""
    begun = unfinished_restore(session.state)
    if begun is None or begun.backup != archive.manifest.backup:
        begun = None
    may_replace = replace or begun is not None
    note = begun or UnfinishedRestore(str(file.absolute()), archive.manifest.backup, secrets.token_hex(8))
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(_nobody_else(session))
        is_damaged = False
        try:
            registry = _opened(session)
            if registry is not None and not dry_run:
                refuse_while_gateways_run(registry)
            difference = compare(archive, registry=registry, custody=session.custody)
        except RegistryDamaged as error:
            _let_go(session)
            if not may_replace:
                raise _unreadable(error) from error
            registry, is_damaged = None, True
            difference = compare(archive, registry=None, custody=session.custody)
        living = registry is not None and is_living(registry)
        yield Target(registry, is_damaged, living, may_replace, difference, note)


def restored_into(session: "Session", archive: "Archive", target: Target) -> Restored:
    """Do it. While it is under way a note in the state folder keeps every other command out."""
    note_restore(session.state, target.note)
    if target.is_damaged:
        aside = bootstrap.set_aside_registry(session.settings, f"damaged-{target.note.run}")
        say(f"the damaged registry is kept as {aside}; what was revoked since the backup cannot be read from it")
    if target.registry is None:
        session.registry = bootstrap.open_registry(session.settings, create=True)
    done = restore(
        archive,
        run=target.note.run,
        registry=session.registry,
        custody=session.custody,
        truststore=session.truststore,
        delivery=session.delivery,
        actor=session.actor,
        now=session.now,
    )
    _put_back_settings(session, archive)
    forget_restore(session.state)
    _sign(session)
    return done


@contextmanager
def _nobody_else(session: "Session") -> Iterator[None]:
    """No gateway on this state, and no second restore."""
    from handclasp.cli.state_folder import prepare_state_folder  # noqa: PLC0415
    from handclasp.gateway.state_lock import hold  # noqa: PLC0415

    prepare_state_folder(session.state)
    with hold(session.state.resolve() / "gateway" / "lock"):
        yield


def _opened(session: "Session") -> "Registry | None":
    """Past the note that keeps other commands out; the session closes it. None where there is none."""
    try:
        session.registry = bootstrap.open_registry(session.settings)
    except NotEstablished:
        return None
    return session.registry


def _unreadable(error: RegistryDamaged) -> RegistryDamaged:
    return RegistryDamaged(
        str(error),
        hint="--replace keeps it under another name; what was revoked since the backup must be revoked again",
    )


def _let_go(session: "Session") -> None:
    if "registry" in session.__dict__:
        session.registry.close()
        del session.registry


def _put_back_settings(session: "Session", archive: "Archive") -> None:
    """Only where there are none, and they name the places that were restored into."""
    from handclasp.atomic_file import write_atomically  # noqa: PLC0415
    from handclasp.settings import CONFIGURATION_FILE  # noqa: PLC0415

    path = session.state / CONFIGURATION_FILE
    if archive.settings is None or session.config is not None or path.exists():
        return
    if _places_are_others(session, archive.settings):
        say(f"note: the backup's {CONFIGURATION_FILE} names other places than these, and was not put back")
        return
    write_atomically(path, archive.settings)


def _places_are_others(session: "Session", written: bytes) -> bool:
    import tomllib  # noqa: PLC0415

    try:
        told = tomllib.loads(written.decode())
    except ValueError:
        return True
    names = ("registry", "custody", "truststore", "delivery")
    return any(told.get(name, getattr(session.settings, name)) != getattr(session.settings, name) for name in names)


def _sign(session: "Session") -> None:
    """Right after a restore the trail's head is signed: what was signed before it may be of entries that are gone."""
    from handclasp.authority.audit.checkpoint import checkpoint_now  # noqa: PLC0415
    from handclasp.cli.checkpointing import note_elsewhere  # noqa: PLC0415

    try:
        made = checkpoint_now(session.registry, session.custody, actor=session.actor)
    except HandclaspError as error:
        say(f"warning: the audit trail was not signed: {error}")
        return
    if made is not None:
        note_elsewhere(session.settings, made)
