"""What a key may be called: a name from outside (a backup) must not become a path."""

import re

from handclasp.errors import KeyUnavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def check_key_name(name: str) -> None:
    """Raises KeyUnavailable."""
    if not _NAME.fullmatch(name):
        raise KeyUnavailable(f"no key can be named {name!a}")
