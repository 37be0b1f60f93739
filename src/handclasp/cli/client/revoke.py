"""`handclasp client revoke`: take access away for good."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option, name_argument
from handclasp.cli.output import say, show_json, show_rows
from handclasp.cli.views import certificate_json
from handclasp.errors import InvalidInput
from handclasp.registry.records import RevocationReason

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId

#: 20 octets (RFC 5280 4.1.2.2) with colons, 0x and some zeros in front; more is no serial number.
_MAX_SERIAL_TEXT = 80


@click.command(
    epilog=example(
        "handclasp client revoke acme --reason keyCompromise",
        "handclasp client revoke acme --serial 4F:1C:9A:07 --reason superseded",
    )
)
@name_argument
@click.option("--serial", metavar="S", help="Only this certificate: hex, as OpenSSL or `client show` print it.")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in RevocationReason], case_sensitive=False),
    metavar="REASON",
    default=RevocationReason.UNSPECIFIED.value,
    show_default=True,
    help=f"As RFC 5280 spells it: {', '.join(RevocationReason)}.",
)
@json_option
@click.pass_obj
def revoke(session: Session, name: "ClientId", serial: str | None, reason: str, as_json: bool) -> None:
    """Revoke client NAME with all its certificates, or with --serial one of them.

    When it returns the revocation is durable, and a gateway refuses the client within a second, on connections that
    are open too. It is final; `handclasp client suspend` can be undone. Revoking what is revoked changes nothing.
    """
    from handclasp.authority.revoke import revoke_certificate, revoke_client  # noqa: PLC0415

    why = RevocationReason(reason)
    if serial is None:
        revoked = revoke_client(name, registry=session.registry, reason=why, actor=session.actor, now=session.now)
    else:
        revoked = revoke_certificate(
            name, _serial(serial), registry=session.registry, reason=why, actor=session.actor, now=session.now
        )
    if as_json:
        current = {c.serial_number: c for c in session.registry.certificates(name)}
        show_json({"name": name, "revoked": [certificate_json(current[c.serial_number]) for c in revoked]})
        return
    what = f"client {name}" if serial is None else f"a certificate of client {name}"
    say(f"{what} is revoked ({len(revoked)} certificate{'' if len(revoked) == 1 else 's'} by this call)")
    show_rows(("serial number", "subject"), [(c.serial_number, c.subject) for c in revoked])


def _serial(text: str) -> str:
    from handclasp.pki.identity import shown  # noqa: PLC0415
    from handclasp.pki.naming import parse_serial  # noqa: PLC0415

    try:
        number = parse_serial(text[:_MAX_SERIAL_TEXT])
    except ValueError:
        number = ""
    if not number or number.startswith("-") or len(text) > _MAX_SERIAL_TEXT:
        raise InvalidInput(
            f"serial number {shown(text)} is not hexadecimal", hint="handclasp client show NAME prints it"
        )
    return number
