"""`handclasp client add`: register a client and issue its first certificate."""

from typing import TYPE_CHECKING, Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import Note, issuing_options, json_option, name_argument

if TYPE_CHECKING:
    from handclasp.pki.identity import ClientId


@click.command(
    epilog=example(
        "handclasp client add acme --environment prod --application nextjs --out acme/",
        "handclasp client add acme --environment prod --application nextjs --csr acme.csr --out acme/",
    )
)
@name_argument
@click.option("--environment", required=True, metavar="NAME", help="Such as prod: part of the identity.")
@click.option("--application", required=True, metavar="NAME", help="Such as nextjs: part of the identity.")
@issuing_options
@click.option("--owner", type=Note(), metavar="TEXT", help="Who answers for it.")
@click.option("--contact", type=Note(), metavar="TEXT", help="How to reach them.")
@json_option
@click.pass_obj
def add(session: Session, /, name: "ClientId", environment: str, application: str, as_json: bool, **given: Any) -> None:
    """Register client NAME and issue its first certificate.

    Key and certificate go to the delivery store, and with --out to a folder: client.key, client.pem, fullchain.pem
    (with the issuers), ca.pem (the trust anchor), all 0600. With --csr the key never leaves the client, and there
    is no client.key. A run that was killed before anything was delivered is taken up by running it again.
    """
    from handclasp.authority.enrol import enrol  # noqa: PLC0415
    from handclasp.cli.client.issued import Handover, enrolment, show_issued  # noqa: PLC0415
    from handclasp.pki import identity  # noqa: PLC0415

    asked = enrolment(session, name, identity.environment(environment), identity.application(application), given)
    session.registry.issuers()
    handover = Handover(session, given, own_key=asked.request is None)
    issued = enrol(
        asked,
        registry=session.registry,
        custody=session.custody,
        practice=session.practice,
        actor=session.actor,
        now=session.now,
    )
    folder = handover.give(issued)
    show_issued(session, issued, folder, word="enrolled", as_json=as_json)
