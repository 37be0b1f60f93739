"""The mail relay's password: from a private file, or as it is given."""

from pathlib import Path

from handclasp.errors import InvalidInput

_MOST_BYTES = 1_024


def mail_password(given: str | None, file: str | None, state: Path) -> str | None:
    """`file`'s first line, a relative path being inside the state folder. Raises InvalidInput, never with its text."""
    if given is not None and file is not None:
        raise InvalidInput("settings watch.smtp_password and watch.smtp_password_file are both set: one is enough")
    if file is None:
        return given
    path = state / file
    try:
        with path.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise InvalidInput(f"watch.smtp_password_file {path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise InvalidInput(
            f"watch.smtp_password_file {path} is open to others (mode {mode:04o})", hint=f"chmod 0600 {path}"
        )
    try:
        line = content.split(b"\n", 1)[0].rstrip(b"\r").decode()
    except UnicodeDecodeError:
        line = ""
    if not line or len(content) > _MOST_BYTES:
        raise InvalidInput(f"watch.smtp_password_file {path} holds no password in its first line")
    return line
