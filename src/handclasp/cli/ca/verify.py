"""`handclasp ca verify`: does everything the authority stands on still hold?"""

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import show_json_array, show_rows


@click.command(epilog=example("handclasp ca verify", "handclasp ca verify --root-passphrase-file root.pass --json"))
@click.option("--root-passphrase-file", metavar="FILE", help="Opens the root's key too, to see that it fits.")
@json_option
@click.pass_context
def verify(ctx: click.Context, root_passphrase_file: str | None, as_json: bool) -> None:
    """Check the paths of all issuers and active client certificates, the keys in custody, modes and trust store.

    One line a finding: ok, warning or problem. Exits 1 if there is a problem.
    """
    from handclasp.cli.ca.checks import all_checks  # noqa: PLC0415
    from handclasp.cli.input_files import read_passphrase_file  # noqa: PLC0415

    session: Session = ctx.obj
    passphrase = (
        None if root_passphrase_file is None else read_passphrase_file(root_passphrase_file, "root passphrase file")
    )
    found = list(all_checks(session, passphrase))
    if as_json:
        show_json_array({"severity": c.severity, "check": c.check, "message": c.message} for c in found)
    else:
        show_rows(("severity", "check", "message"), [(c.severity, c.check, c.message) for c in found])
    ctx.exit(any(c.severity == "problem" for c in found))
