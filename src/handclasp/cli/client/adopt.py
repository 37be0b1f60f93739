"""`handclasp client adopt`: register certificates that are out there already."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import Note, json_option, name_argument

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from handclasp.authority.adopt import Adoption
    from handclasp.pki.identity import ClientId


@click.command(
    epilog=example(
        "handclasp client adopt acme --certificate acme.crt --environment prod --application NextJs",
        "handclasp client adopt acme --certificate old.crt --certificate new.crt --environment prod --application web",
    )
)
@name_argument
@click.option("--certificate", "files", multiple=True, required=True, metavar="FILE", help="PEM or DER; repeatable.")
@click.option("--environment", required=True, metavar="NAME", help="Such as prod.")
@click.option("--application", required=True, metavar="NAME", help="Such as nextjs.")
@click.option("--owner", type=Note(), metavar="TEXT", help="Who answers for it.")
@click.option("--contact", type=Note(), metavar="TEXT", help="How to reach them.")
@json_option
@click.pass_obj
def adopt(
    session: Session,
    name: "ClientId",
    files: tuple[str, ...],
    environment: str,
    application: str,
    owner: str | None,
    contact: str | None,
    as_json: bool,
) -> None:
    """Register client NAME with certificates that an adopted issuer has issued; nothing is re-issued.

    Each file's first certificate is taken, its path to our issuers verified. What NAME has registered already is
    left as it is, so the command can be repeated and certificates added later.
    """
    from handclasp.authority.adopt import Adoption  # noqa: PLC0415
    from handclasp.cli.input_files import read_file  # noqa: PLC0415
    from handclasp.pki import identity  # noqa: PLC0415
    from handclasp.pki.pem import load_certificate  # noqa: PLC0415

    adoption = Adoption(name, identity.environment(environment), identity.application(application), owner, contact)
    certificates = [load_certificate(read_file(file, "certificate"), f"certificate {file}") for file in files]
    _adopt_all(session, adoption, certificates, as_json=as_json)


def _adopt_all(session: Session, adoption: "Adoption", certificates: "list[Certificate]", *, as_json: bool) -> None:
    from handclasp.authority.adopt import adopt_client  # noqa: PLC0415
    from handclasp.cli.output import say, show_json, show_rows  # noqa: PLC0415
    from handclasp.cli.views import certificate_json  # noqa: PLC0415
    from handclasp.pki.naming import fingerprint  # noqa: PLC0415

    known = {record.fingerprint for record in session.registry.certificates(adoption.client_id)}
    fresh = [certificate for certificate in certificates if fingerprint(certificate) not in known]
    adopted = [
        adopt_client(adoption, certificate, registry=session.registry, actor=session.actor, now=session.now)
        for certificate in dict.fromkeys(fresh)
    ]
    if as_json:
        show_json({"name": adoption.client_id, "adopted": [certificate_json(record) for record in adopted]})
        return
    say(f"client {adoption.client_id}: {len(adopted)} adopted, {len(certificates) - len(adopted)} registered already")
    show_rows(("serial number", "SHA-256", "subject"), [(c.serial_number, c.fingerprint, c.subject) for c in adopted])
