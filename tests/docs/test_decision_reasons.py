"""docs/decision-reasons.md lists every reason there is, and none that is not."""

import re
from pathlib import Path

from handclasp.authorizer.decision import Reason

PAGE = Path(__file__).parents[2] / "docs" / "decision-reasons.md"


def test_every_reason_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(reason.value for reason in Reason)


def test_each_says_what_it_means_and_what_to_do() -> None:
    rows = [line.split("|")[1:4] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows
    assert all(cell.strip() for row in rows for cell in row)
