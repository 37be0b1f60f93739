"""`handclasp`: the commands by name, and the options all of them share."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from handclasp import __version__
from handclasp.cli.boundary import guarded
from handclasp.cli.lazy import LazyGroup, example
from handclasp.cli.output import colour_allowed

COMMANDS = {
    "init": ("handclasp.cli.init:init", "Establish the authority: root, intermediate, trust store."),
    "up": ("handclasp.cli.up:up", "Run everything: the gateway in front of your service, or a demo."),
    "client": ("handclasp.cli.client:client", "Register clients, issue, renew and revoke their certificates."),
    "ca": ("handclasp.cli.ca:ca", "Show and verify the issuers."),
    "truststore": ("handclasp.cli.truststore:truststore", "Show, publish and check what gateways trust."),
    "gateway": ("handclasp.cli.gateway:gateway", "Run Envoy with what the registry says."),
    "verify": ("handclasp.cli.verify:verify", "Test any mTLS endpoint: does it refuse what it should?"),
    "doctor": ("handclasp.cli.doctor:doctor", "Explain a failing handshake, and how to mend it."),
    "audit": ("handclasp.cli.audit:audit", "List and verify the audit trail."),
    "status": ("handclasp.cli.status:status", "Tell how things stand, on one page."),
    "completion": ("handclasp.cli.completion:completion", "Print a shell's completion script."),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "handclasp init --root-passphrase-file root.pass",
        "handclasp client add acme --environment prod --application nextjs --out acme/",
        "handclasp up --upstream http://127.0.0.1:3000",
    ),
)
@click.option(
    "--state",
    metavar="DIR",
    envvar="HANDCLASP_STATE",
    default="handclasp-state",
    show_default="./handclasp-state",
    show_envvar=True,
    help="Where keys, registry and trust store live.",
)
@click.option("--config", metavar="FILE", help="Settings; else DIR/handclasp.toml, if there is one.")
@click.version_option(__version__, prog_name="handclasp", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, state: str, config: str | None) -> None:
    """Mutual TLS, end to end: a private CA, a registry and a gateway that lets in only whom you issued.

    Data goes to stdout, talk to stderr. Every command has --json and an example in its --help. Exit codes: 0 done,
    1 refused or something is wrong, 2 the command line or a file given cannot be used, 130 interrupted. An error is
    one line, "error: ...", with --json too.
    """
    from handclasp.cli.context import Session  # noqa: PLC0415

    ctx.color = colour_allowed()
    ctx.obj = Session(state, config)
    ctx.call_on_close(ctx.obj.close)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the `handclasp` script. Always ends in SystemExit."""
    sys.exit(guarded(lambda: cli.main(arguments, prog_name="handclasp", standalone_mode=False)))
