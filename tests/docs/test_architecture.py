"""docs/architecture.md draws a client's life as the code has it."""

from pathlib import Path

from handclasp.authority.lifecycle import CLIENT_TRANSITIONS, Event
from handclasp.registry.records import ClientStatus

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()


def test_the_table_of_a_clients_life_is_the_codes() -> None:
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| client is |"))
    events = [Event(cell.strip()) for cell in lines[start].split("|")[2:-1]]
    drawn = {}
    for line in lines[start + 2 : start + 2 + len(ClientStatus)]:
        status, *after = [cell.strip() for cell in line.strip("|").split("|")]
        drawn.update({(ClientStatus(status), event): cell for event, cell in zip(events, after, strict=True)})
    expected = {
        (status, event): CLIENT_TRANSITIONS[status, event].value if (status, event) in CLIENT_TRANSITIONS else "refused"
        for status in ClientStatus
        for event in Event
    }
    assert drawn == expected
