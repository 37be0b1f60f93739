"""`handclasp client renew`: another certificate for a client that is registered."""

from typing import TYPE_CHECKING, Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import issuing_options, json_option, name_argument

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId


@click.command(epilog=example("handclasp client renew acme --out acme/", "handclasp client renew acme --csr acme.csr"))
@name_argument
@issuing_options
@json_option
@click.pass_obj
def renew(session: Session, /, name: "ClientId", as_json: bool, **given: Any) -> None:
    """Issue client NAME another certificate, with a new key unless it sends its own CSR.

    The certificates it has stay valid, so that it can switch without an outage. Once it has switched, take the old
    one away with `handclasp client revoke NAME --serial S --reason superseded`.
    """
    from handclasp.authority.enrol import renew as renew_client  # noqa: PLC0415
    from handclasp.cli.client.issued import Handover, enrolment, show_issued  # noqa: PLC0415

    known = session.registry.client(name)
    asked = enrolment(session, name, known.environment, known.application, given)
    handover = Handover(session, given, own_key=asked.request is None)
    issued = renew_client(
        asked,
        registry=session.registry,
        custody=session.custody,
        practice=session.practice,
        actor=session.actor,
        now=session.now,
    )
    folder = handover.give(issued)
    show_issued(session, issued, folder, word="renewed", as_json=as_json)
