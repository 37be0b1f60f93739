"""`handclasp doctor`: what is wrong with this handshake, in plain words."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.input_files import read_file, read_passphrase_file
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import show_json_array, show_rows
from handclasp.errors import InvalidInput

if TYPE_CHECKING:
    from handclasp.verify.finding import Finding


@click.command(
    epilog=example(
        "handclasp doctor --cert client.pem --key client.key --cacert ca.pem --url https://api.example.com/",
        "handclasp doctor --cert client.pem --key client.key",
    )
)
@click.option("--cert", metavar="FILE", help="The client's certificate, with its chain.")
@click.option("--key", metavar="FILE", help="Its private key.")
@click.option("--cacert", metavar="FILE", help="The CAs the server's certificate is checked against.")
@click.option("--url", metavar="URL", help="Shake hands with this server.")
@click.option("--key-passphrase-file", metavar="FILE", help="Opens the key, if it is encrypted.")
@click.option("--timeout", type=click.FloatRange(0.1, 300), default=5.0, show_default=True, metavar="SECONDS")
@json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    cert: str | None,
    key: str | None,
    cacert: str | None,
    url: str | None,
    key_passphrase_file: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Explain a failing handshake, against any server, Handclasp's or not: what is wrong, and how to mend it.

    Pass what there is; each file and each pair is looked at. One line a finding; exits 1 if there is a problem.
    """
    from handclasp.verify.doctor import diagnose  # noqa: PLC0415

    if not (cert or key or cacert or url):
        raise InvalidInput("nothing to look at", hint="pass --cert, --key, --cacert or --url")
    session: Session = ctx.obj
    findings = diagnose(
        cert=read_file(cert, "certificate") if cert else None,
        key=read_file(key, "key") if key else None,
        cacert=read_file(cacert, "CA file") if cacert else None,
        url=url,
        now=session.now,
        key_passphrase=read_passphrase_file(key_passphrase_file, "key passphrase file")
        if key_passphrase_file
        else None,
        timeout=timeout,
    )
    _show(findings, as_json=as_json)
    ctx.exit(any(finding.severity == "problem" for finding in findings))


def _show(findings: "list[Finding]", *, as_json: bool) -> None:
    if as_json:
        show_json_array(
            {"code": f.code.value, "severity": f.severity, "message": f.message, "fix": f.fix} for f in findings
        )
    else:
        show_rows(("severity", "finding", "fix"), [(f.severity, f.message, f.fix) for f in findings])
