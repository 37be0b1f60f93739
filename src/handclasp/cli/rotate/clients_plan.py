"""What `rotate clients --dry-run` prints."""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from handclasp.cli.context import Session
from handclasp.cli.output import moment, say, show_json, show_rows
from handclasp.duration import duration_text

if TYPE_CHECKING:
    from handclasp.authority.rotation.rotate_clients import Planned


def show_plan(session: Session, arguments: dict[str, Any], *, as_json: bool) -> None:
    """To whom, which certificate, by which key, how long it takes, and who is left alone and why."""
    from handclasp.authority.rotation.rotate_clients import plan, seconds_needed  # noqa: PLC0415

    planned = list(plan(session.registry, session.settings.rotation, arguments))
    renewed = [each for each in planned if each.is_renewed]
    seconds = math.ceil(seconds_needed(len(renewed), session.practice, rekey=arguments["rekey"]))
    if as_json:
        show_json(
            {
                "operation": "rotate-clients",
                "arguments": arguments,
                "clients": [_json(each) for each in planned],
                "certificates": len(renewed),
                "seconds": seconds,
            }
        )
        return
    show_rows(
        ("client", "certificate", "valid until", "what", "why"),
        ((p.client.client_id, p.serial_number, moment(p.not_after), p.action, p.why or None) for p in planned),
    )
    overlap = duration_text(timedelta(seconds=arguments["overlap"]))
    say(f"{len(renewed)} certificates would be issued and delivered, in about {seconds} s; nothing is done now")
    say(f"the old ones stay until their clients have gone over; those nobody uses for {overlap}")


def _json(planned: "Planned") -> dict[str, Any]:
    return {
        "client": planned.client.client_id,
        "serial_number": planned.serial_number,
        "not_after": moment(planned.not_after),
        "action": planned.action,
        "why": planned.why or None,
    }
