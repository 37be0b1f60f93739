"""`handclasp client suspend` and `resume`: take access away for a while, and give it back."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option, name_argument
from handclasp.cli.output import say, show_json
from handclasp.cli.views import client_json

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId
    from handclasp.registry.records import Client


@click.command(epilog=example("handclasp client suspend acme --lock-out 1"))
@name_argument
@click.option("--lock-out", type=int, metavar="N", help="Agree that so many clients that may call now are locked out.")
@json_option
@click.pass_obj
def suspend(session: Session, name: "ClientId", lock_out: int | None, as_json: bool) -> None:
    """Refuse client NAME until it is resumed; its certificates stay as they are.

    Without --lock-out it says whom that locks out and when it was last seen, and changes nothing. When it returns
    the suspension is durable, and a gateway refuses the client within a second, on connections that are open too.
    """
    from handclasp.authority.revoke import suspend_client  # noqa: PLC0415
    from handclasp.authority.rotation.lock_out import confirm_lock_out, suspension  # noqa: PLC0415

    confirm_lock_out(suspension(session.registry, name, int(session.now.timestamp())), lock_out, f"suspending {name}")
    _show(suspend_client(name, registry=session.registry, actor=session.actor, now=session.now), as_json=as_json)


@click.command(epilog=example("handclasp client resume acme"))
@name_argument
@json_option
@click.pass_obj
def resume(session: Session, name: "ClientId", as_json: bool) -> None:
    """Let suspended client NAME in again. A revoked client cannot be resumed."""
    from handclasp.authority.revoke import resume_client  # noqa: PLC0415

    _show(resume_client(name, registry=session.registry, actor=session.actor, now=session.now), as_json=as_json)


def _show(client: "Client", *, as_json: bool) -> None:
    if as_json:
        show_json(client_json(client))
    else:
        say(f"client {client.client_id} is {client.status.value}")
