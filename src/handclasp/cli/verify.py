"""`handclasp verify`: the acceptance tests, against any endpoint."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.boundary import FAILED
from handclasp.cli.context import Session
from handclasp.cli.input_files import read_file, read_passphrase_file
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import say, show_json
from handclasp.errors import InvalidInput, NotEstablished

if TYPE_CHECKING:
    from handclasp.verify.credential import Credential
    from handclasp.verify.endpoint import Endpoint
    from handclasp.verify.own_authority import OwnAuthority


@click.command(
    epilog=example(
        "handclasp verify https://localhost:8443/ --cert acme/fullchain.pem --key acme/client.key --cacert acme/ca.pem",
    )
)
@click.argument("url")
@click.option("--cert", required=True, metavar="FILE", help="A valid client certificate, its intermediates after it.")
@click.option("--key", required=True, metavar="FILE", help="Its private key.")
@click.option("--key-passphrase-file", metavar="FILE", help="Opens the key, with this file's first line.")
@click.option("--cacert", required=True, metavar="FILE", help="The trust anchors that verify the server.")
@click.option("--bypass-url", metavar="URL", help="A way around the gateway that must be closed.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    url: str,
    cert: str,
    key: str,
    key_passphrase_file: str | None,
    cacert: str,
    bypass_url: str | None,
    as_json: bool,
) -> None:
    """Test whether the endpoint at URL lets in whom it should, and nobody else.

    The valid certificate must be accepted; no certificate, self-signed and forged ones, old TLS versions and made-up
    identity headers must not. With --state at hand, and its root in --cacert, certificates of the real CA are tried
    as well: expired, not yet valid, serverAuth only, unregistered, and one that is revoked while it is in use.

    What cannot be tried is shown as skipped, with the reason. A refusal may be a TLS alert, a closed connection or
    an HTTP status: which one it was is shown. Exit code 1 when one is let in that should not be, the valid one is
    refused, or the endpoint cannot be reached or is not verified by --cacert.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from handclasp.cli.verify_table import result_json, show_results, summary  # noqa: PLC0415
    from handclasp.verify.acceptance import run_acceptance  # noqa: PLC0415
    from handclasp.verify.result import all_passed  # noqa: PLC0415

    endpoint = _endpoint(url, _credential(cert, key, key_passphrase_file), cacert, bypass_url)
    results = run_acceptance(endpoint, _own_authority(ctx.obj), lambda: datetime.now(UTC))
    good = all_passed(results)
    if as_json:
        show_json({"url": url, "passed": good, "results": [result_json(result) for result in results]})
    else:
        show_results(results)
        say(summary(results))
    if not good:
        ctx.exit(FAILED)


def _endpoint(url: str, credential: "Credential", cacert: str, bypass_url: str | None) -> "Endpoint":
    from handclasp.pki.pem import load_certificates  # noqa: PLC0415
    from handclasp.verify.endpoint import Endpoint  # noqa: PLC0415
    from handclasp.verify.target import target  # noqa: PLC0415

    where = target(url)
    if where.scheme != "https":
        raise InvalidInput("verify tests TLS: the URL begins with https://", hint="use --bypass-url for the service")
    anchors = load_certificates(read_file(cacert, "trust anchor"), f"trust anchor {cacert}")
    return Endpoint(where, credential, tuple(anchors), bypass=target(bypass_url) if bypass_url else None)


def _credential(cert: str, key: str, passphrase_file: str | None) -> "Credential":
    from handclasp.pki.keys import open_sealed  # noqa: PLC0415
    from handclasp.pki.pem import load_certificates  # noqa: PLC0415
    from handclasp.verify.credential import Credential, refusal  # noqa: PLC0415

    passphrase = read_passphrase_file(passphrase_file, "key passphrase file") if passphrase_file else None
    chain = load_certificates(read_file(cert, "certificate"), f"certificate {cert}")
    private = open_sealed(read_file(key, "private key"), passphrase, f"private key {key}")
    credential = Credential(tuple(chain), private)
    if reason := refusal(credential):
        raise InvalidInput(
            f"{cert} and {key} cannot be used together: {reason.lower().replace('_', ' ')}",
            hint=f"handclasp doctor --cert {cert} --key {key} says why",
        )
    return credential


def _own_authority(session: Session) -> "OwnAuthority | None":
    """The authority in the state folder, if there is one: verify works without."""
    from handclasp.verify.own_authority import OwnAuthority  # noqa: PLC0415

    try:
        return OwnAuthority(session.registry, session.custody, session.practice, session.actor)
    except NotEstablished:
        return None
