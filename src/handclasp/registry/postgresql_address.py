"""Where a PostgreSQL registry is: its URL understood once, and a name for it that holds no password."""

import re
from dataclasses import dataclass, field
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from handclasp.errors import InvalidInput

#: A server that is gone is noticed within half a minute, not after TCP's two hours; the URL may say otherwise.
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_UNLESS_GIVEN = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "handclasp",
}

# A password that is not percent-encoded spills into what follows it: "u:p@ss@host" names the host "ss@host", and
# libpq's message would show it. So each part has to look like what it is, or the URL is refused without being shown.
_HOST = re.compile(r"[\w.:,%/-]*")
_PORT = re.compile(r"[\d,]*")
_DATABASE = re.compile(r"[^@/:?]*")


@dataclass(frozen=True, slots=True)
class Address:
    """`parameters` are libpq's; `place` names host and database, for people."""

    parameters: dict[str, Any] = field(repr=False)
    place: str

    def __str__(self) -> str:
        return self.place


def address(url: str) -> Address:
    """The address a postgresql:// URL names. Raises InvalidInput, which never shows it: it may hold a password."""
    given = _parsed(url)
    if given is None:
        raise InvalidInput(
            "setting registry is no PostgreSQL URL",
            hint="write postgresql://USER@HOST:PORT/DATABASE; in a password %40 for @, %2F for /, %3A for :",
        )
    # What the URL leaves out, libpq takes from PGHOST, PGDATABASE and the like, and a password from ~/.pgpass.
    usual = {each.keyword.decode(): each.val.decode() for each in Conninfo.get_defaults() if each.val}
    host, port, database = (str(given.get(name) or usual.get(name, "")) for name in ("host", "port", "dbname"))
    shown = host if port in {"", "5432"} or host.startswith("/") else f"{host}:{port}"
    return Address(
        _UNLESS_GIVEN | given | {"client_encoding": "UTF8"}, f"registry {database} on {shown or 'this host'}"
    )


def _parsed(url: str) -> dict[str, Any] | None:
    try:
        given: dict[str, Any] = dict(conninfo_to_dict(url))
    except ProgrammingError:
        return None
    parts = ((_HOST, "host"), (_PORT, "port"), (_DATABASE, "dbname"))
    understood = all(pattern.fullmatch(str(given.get(name, ""))) for pattern, name in parts)
    return given if understood and "@" not in str(given.get("user", "")) else None
