"""A snapshot as text: a JSON array a line, table and columns; octets as base64."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from handclasp.errors import RegistryDamaged
from handclasp.registry.port import Row

_OCTETS = "base64"


def snapshot_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    for table, row in rows:
        text = json.dumps([table, {name: _plain(value) for name, value in row.items()}], separators=(",", ":"))
        yield text.encode() + b"\n"


def snapshot_rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Raises RegistryDamaged for what `snapshot_lines` did not write."""
    for line in lines:
        try:
            table, row = json.loads(line)
            yield str(table), {name: _value(value) for name, value in row.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise RegistryDamaged("a line of the snapshot cannot be read") from None


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {_OCTETS: b64encode(value).decode()}
    return value


def _value(value: Any) -> Any:
    return b64decode(value[_OCTETS], validate=True) if isinstance(value, dict) else value
