"""The acceptance tests' results as people and programs see them; `handclasp up --demo` prints the same table."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from handclasp.cli.output import cell, one_line, show_rows
from handclasp.verify.result import Result, Verdict

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("check", "expected", "what was seen", "verdict")
_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.SKIPPED: "yellow"}


def show_results(results: Sequence[Result]) -> None:
    """To stdout: the table on a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        show_rows(_COLUMNS, [(r.title, r.expected, r.seen, r.verdict.value) for r in results])
        return
    from rich.console import Console  # noqa: PLC0415

    Console().print(results_table(results))


def results_table(results: Sequence[Result]) -> "Table":
    """A row a check. What the endpoint said is shown escaped: it may have been chosen to steer a terminal."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*_COLUMNS, box=None, pad_edge=False, header_style="bold")
    for result in results:
        words = (result.title, result.expected, result.seen)
        verdict = Text(result.verdict.value, style=_STYLES[result.verdict])
        table.add_row(*(Text(cell(text)) for text in words), verdict)
    return table


def summary(results: Sequence[Result]) -> str:
    """ "14 passed, 1 failed, 3 skipped: revoked" with the failed checks named."""
    verdicts = [result.verdict for result in results]
    counts = ", ".join(f"{verdicts.count(v)} {v.value}" for v in Verdict if v in verdicts)
    wrong = [result.title for result in results if result.verdict is Verdict.FAILED]
    return one_line(f"{counts}. Failed: {'; '.join(wrong)}" if wrong else counts)


def result_json(result: Result) -> dict[str, object]:
    return {
        "check": result.check,
        "title": result.title,
        "expected": result.expected,
        "seen": result.seen,
        "verdict": result.verdict.value,
        "milliseconds": dict(result.milliseconds),
    }
