"""Where a schedule is written, and what stands there already."""

import os
import pwd
from pathlib import Path

from handclasp.atomic_file import write_atomically
from handclasp.cli.context import Session
from handclasp.cli.schedule.systemd_units import NAME
from handclasp.errors import InvalidInput

_SYSTEM = Path("/etc/systemd/system")
#: Units and cron's files are read by everybody; they hold no secret.
_MODE = 0o644


def unit_folder(given: Path | None, *, own_manager: bool) -> Path:
    """systemd.unit(5): the administrator's folder, or the user's own."""
    if given is not None:
        return given
    if not own_manager:
        return _SYSTEM
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def unit_files(folder: Path) -> list[Path]:
    return [folder / f"{NAME}.service", folder / f"{NAME}.timer"]


def write_marked(path: Path, text: str) -> None:
    """Raises InvalidInput where something else stands, or the schedule of another state: the first line tells."""
    there = read_marked(path)
    if there is not None and there.partition("\n")[0] != text.partition("\n")[0]:
        raise InvalidInput(
            f"{path} is there already, and is not the schedule of this state",
            hint="handclasp schedule remove, or name another place",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        path.chmod(_MODE)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}", hint=_AS_WHOM) from None


def read_marked(path: Path) -> str | None:
    """Its text, None if it is not there. Raises InvalidInput."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}") from None


def owner_of(session: Session) -> str | None:
    """The user whom the state belongs to, who is to run the schedule; None for root."""
    try:
        owner = session.state.stat().st_uid
    except OSError as error:
        raise InvalidInput(f"state folder {session.state} cannot be read: {error.strerror}") from None
    if owner == 0:
        return None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def written_beside_the_state(session: Session) -> list[str]:
    """Folders outside the state that its settings name: files there are replaced by rename, which takes the folder."""
    settings, state = session.settings, session.state.absolute()
    urls = (settings.custody, settings.registry, settings.truststore, settings.delivery)
    named = [url.partition(":")[2].removeprefix("///") for url in urls if url.startswith(("file:", "sqlite:"))]
    named += [settings.audit.checkpoint_file] if settings.audit.checkpoint_file else []
    folders = [path if path.is_dir() else path.parent for path in (state / name for name in named)]
    places = {Path(os.path.normpath(folder)) for folder in folders}
    return sorted(str(place) for place in places if not place.is_relative_to(os.path.normpath(state)))


_AS_WHOM = "run it as root, or pass --user, --systemd DIR or --cron"
