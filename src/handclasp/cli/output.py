"""Data to stdout, talk to stderr: JSON, tables and facts.

A list is a Rich table on a terminal, tab-separated lines without a header in a pipe, one JSON array with --json.
Text that others chose (names, subjects, owners) is escaped wherever it does not print, so that it can neither
break a line nor steer a terminal.
"""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from time import gmtime, strftime
from typing import Any

import click

#: Lines handed to the stream at once: one write each would cost more than the rest of a list.
_CHUNK = 500
#: A table is a tenth of what formatting a number costs, and a long list has many.
_DIGITS = [f"{number:02}" for number in range(60)]


def one_line(text: str) -> str:
    """`text` with whatever does not print escaped, line ends and terminal controls included."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def cell(value: object) -> str:
    """One value in a table or a tab-separated line; `-` for nothing."""
    return "-" if value is None else one_line(str(value))


def moment(seconds: int | None) -> str | None:
    """Seconds since 1970 as RFC 3339, UTC."""
    if seconds is None:
        return None
    day, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    return f"{_date(day)}T{_DIGITS[minute // 60]}:{_DIGITS[minute % 60]}:{_DIGITS[second]}Z"


@cache
def _date(day: int) -> str:
    """Remembered: a long list has many moments and few days."""
    return strftime("%Y-%m-%d", gmtime(day * 86_400))


def say(text: str) -> None:
    """Talk: to stderr, one line."""
    click.echo(one_line(text), err=True)


def data(text: str) -> None:
    """One line of data, to stdout."""
    click.echo(one_line(text))


def show_json(value: object) -> None:
    import json  # noqa: PLC0415

    click.echo(json.dumps(value, indent=2))


def show_event(event: object) -> None:
    """One JSON line, written at once: somebody follows along."""
    import json  # noqa: PLC0415

    click.echo(json.dumps(event))
    sys.stdout.flush()


def show_json_array(items: Iterable[object]) -> None:
    """A JSON array, an item a line, written as it comes."""
    import json  # noqa: PLC0415

    _write_chunks(_array_lines(json.dumps(item) for item in items))


def show_json_lines(items: Iterable[object]) -> None:
    """One JSON value a line, written as it comes."""
    import json  # noqa: PLC0415

    _write_chunks(json.dumps(item) for item in items)


def show_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Labels and values, aligned; facts that are None are left out."""
    known = [(label, value) for label, value in facts if value is not None]
    width = max((len(label) for label, _ in known), default=0)
    for label, value in known:
        click.echo(f"{click.style(label.ljust(width), dim=True)}  {cell(value)}")


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A list: a table for people, tab-separated lines for programs."""
    if sys.stdout and sys.stdout.isatty():
        _show_table(columns, rows)
    else:
        _write_chunks(_tab_separated(rows))


def _tab_separated(rows: Iterable[Sequence[object]]) -> Iterable[str]:
    for row in rows:
        line = "\t".join([value if isinstance(value, str) else cell(value) for value in row])
        # One look at the line instead of one at each cell: a list is long, and hostile text is rare.
        clean = line.replace("\t", "").isprintable() and line.count("\t") == len(row) - 1
        yield line if clean else "\t".join(map(cell, row))


def _array_lines(items: Iterable[str]) -> Iterable[str]:
    before = "["
    for item in items:
        yield before + item
        before = ","
    yield "[]" if before == "[" else "]"


def _write_chunks(lines: Iterable[str]) -> None:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _CHUNK:
            click.echo("\n".join(chunk))
            chunk.clear()
    if chunk:
        click.echo("\n".join(chunk))


def _show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        # Text, not str: a name with brackets in it is no markup.
        table.add_row(*(Text(cell(value), style=_STYLES.get(str(value), "")) for value in row))
    Console().print(table)


_STYLES: dict[str, Any] = {
    "active": "green",
    "ok": "green",
    "suspended": "yellow",
    "warning": "yellow",
    "revoked": "red",
    "problem": "red",
    "error": "red",
}
