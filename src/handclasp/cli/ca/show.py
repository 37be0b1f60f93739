"""`handclasp ca show`: one issuer in full."""

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, show_facts, show_json
from handclasp.cli.views import issuer_json
from handclasp.errors import InvalidInput, NotEstablished, NotRegistered
from handclasp.registry.records import Issuer, IssuerKind, IssuerStatus


@click.command(epilog=example("handclasp ca show", "handclasp ca show 9f3c --json"))
@click.argument("issuer_id", metavar="[ID]", required=False)
@json_option
@click.pass_obj
def show(session: Session, issuer_id: str | None, as_json: bool) -> None:
    """Show the issuer whose id begins with ID; without one, the intermediate that signs now.

    With --json its certificate in PEM is in it too.
    """
    issuers = session.registry.issuers()
    issuer = _signing(issuers) if issuer_id is None else _found(issuers, issuer_id)
    from handclasp.pki.keys import describe  # noqa: PLC0415
    from handclasp.pki.pem import certificate_pem, load_certificate  # noqa: PLC0415

    certificate = load_certificate(issuer.der)
    key = describe(certificate.public_key())
    if as_json:
        show_json(
            {**issuer_json(issuer), "key_algorithm": key, "certificate": certificate_pem(certificate).decode("ascii")}
        )
        return
    show_facts(
        [
            ("issuer", issuer.issuer_id),
            ("kind", issuer.kind.value),
            ("status", issuer.status.value),
            ("subject", issuer.subject),
            ("serial number", issuer.serial_number),
            ("SHA-256", issuer.fingerprint),
            ("valid", f"{moment(issuer.not_before)} to {moment(issuer.not_after)}"),
            ("algorithm", key),
            ("private key", f"in custody as {issuer.key_name}" if issuer.key_name else "elsewhere"),
            ("issued by", issuer.parent_id),
        ]
    )


def _signing(issuers: list[Issuer]) -> Issuer:
    for issuer in reversed(issuers):
        if issuer.kind is IssuerKind.INTERMEDIATE and issuer.status is IssuerStatus.ACTIVE and issuer.key_name:
            return issuer
    raise NotEstablished("no active intermediate with its key in custody", hint="handclasp ca list shows the issuers")


def _found(issuers: list[Issuer], beginning: str) -> Issuer:
    found = [issuer for issuer in issuers if beginning and issuer.issuer_id.startswith(beginning.lower())]
    if not found:
        raise NotRegistered(f"no issuer's id begins with {beginning!a}", hint="handclasp ca list shows the issuers")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} issuers' ids begin with {beginning!a}", hint="give more of it")
    return found[0]
