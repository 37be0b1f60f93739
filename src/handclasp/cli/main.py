"""`handclasp`: the commands by name, and the options all of them share."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from handclasp import __version__
from handclasp.cli.lazy import LazyGroup, example

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
    "rotate": ("handclasp.cli.rotate:rotate", "Replace certificates and issuers, with nobody cut off."),
    "operation": ("handclasp.cli.operation:operation", "List, show, resume and abandon operations."),
    "schedule": ("handclasp.cli.schedule:schedule", "Let a timer do what is due."),
    "watch": ("handclasp.cli.watch:watch", "Tell of what expires, before it does."),
    "backup": ("handclasp.cli.backup:backup", "Make one encrypted file of everything."),
    "restore": ("handclasp.cli.restore:restore", "Bring a backup back, never a revocation less."),
    "status": ("handclasp.cli.status:status", "Tell how things stand, on one page."),
    "completion": ("handclasp.cli.completion:completion", "Print a shell's completion script."),
}


#: Help is written for this; narrower terminals get it narrower.
_WIDTH = 100


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
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
    help="Where keys, registry and trust store live; else $HANDCLASP_STATE, else ./handclasp-state.",
)
@click.option("--config", metavar="FILE", help="Settings; else DIR/handclasp.toml, if there is one.")
@click.version_option(__version__, prog_name="handclasp", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, state: str, config: str | None) -> None:
    """Mutual TLS, end to end: a private CA, a registry and a gateway that lets in only whom you issued.

    Every command has --json, and an example in its --help. Data goes to stdout, talk and errors to stderr: one line,
    "error: ...", with --json too. Exit codes: 0 done, 1 refused or wrong, 2 unusable input, 3 somebody else works on
    that operation, 4 an operation is to be resumed, 130 interrupted.
    """
    from handclasp.cli.context import Session  # noqa: PLC0415

    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
    ctx.obj = Session(state, config)
    ctx.call_on_close(ctx.obj.close)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the `handclasp` script. Always ends in SystemExit."""
    # The interpreter's last garbage collections would walk every object of a process that is over: a twelfth of --help.
    atexit.register(gc.freeze)
    try:
        code = cli.main(
            arguments, prog_name="handclasp", standalone_mode=False, terminal_width=min(_WIDTH, _terminal_width())
        )
        if sys.stdout:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # the one boundary: report() has a word for each
        from handclasp.cli.boundary import report  # noqa: PLC0415

        code = report(error)
    sys.exit(code if isinstance(code, int) else 0)


def _terminal_width() -> int:
    """What Click would find out, less what it imports for that (shutil: a twentieth of our start)."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (OSError, ValueError):
        return _WIDTH
