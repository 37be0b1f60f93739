"""`handclasp gateway`: Envoy by itself, with what the registry says."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handclasp.cli.gateway_options import apply_gateway_options, gateway_options, require_upstream
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option

if TYPE_CHECKING:
    from handclasp.cli.context import Session


@click.group(epilog=example("handclasp gateway run --upstream http://127.0.0.1:3000", "handclasp gateway check"))
def gateway() -> None:
    """Run Envoy with what the registry says, see which gateways report, or look at the configuration it gets."""


@gateway.command(epilog=example("handclasp gateway run --upstream http://127.0.0.1:3000 --listen 0.0.0.0:8443"))
@gateway_options
@click.option("--ready-file", metavar="FILE", type=click.Path(path_type=Path), help="Exists while requests are served.")
@json_option
@click.pass_obj
def run(
    session: "Session",
    upstream: str | None,
    listen: str | None,
    refusal: str | None,
    ready_file: Path | None,
    as_json: bool,
) -> None:
    """Serve with the trust store as it is published; `up` publishes it first."""
    from handclasp.cli.output import say, show_json  # noqa: PLC0415
    from handclasp.cli.serving import serve_session, stopping_on_signals  # noqa: PLC0415

    apply_gateway_options(session, upstream=upstream, listen=listen, refusal=refusal)
    require_upstream(session)
    settings = session.settings.gateway

    def on_ready() -> None:
        if as_json:
            show_json({"event": "serving", "listen": settings.listen, "upstream": settings.upstream})
        else:
            say(f"serving https://{settings.listen}/ in front of {settings.upstream}, until Ctrl-C")

    with stopping_on_signals() as stop:
        serve_session(session, stop, on_ready, ready_file)


@gateway.command(name="list", epilog=example("handclasp gateway list", "handclasp gateway list --json"))
@json_option
@click.pass_obj
def list_gateways(session: "Session", as_json: bool) -> None:
    """List the gateways that report to the registry, and how far behind each is.

    Columns: gateway, address, the revision it really serves, how many revisions that is behind, seconds since its last
    report (more than 15 is silent), the environments it admits, the issuer of its server certificate, since when.
    """
    from handclasp.cli.gateway_views import COLUMNS, gateway_row, gateways_json  # noqa: PLC0415
    from handclasp.cli.output import show_json_array, show_rows  # noqa: PLC0415

    if as_json:
        show_json_array(gateways_json(session.registry))
        return
    revision = session.registry.revision()
    show_rows(COLUMNS, (gateway_row(each, revision) for each in session.registry.gateways()))


@gateway.command(epilog=example("handclasp gateway config --upstream http://127.0.0.1:3000 > envoy.json"))
@gateway_options
@json_option
@click.pass_obj
def config(session: "Session", upstream: str | None, listen: str | None, refusal: str | None, as_json: bool) -> None:  # noqa: ARG001
    """Print Envoy's bootstrap as JSON; what changes is in files beside it, which it names."""
    from handclasp.cli.output import show_json  # noqa: PLC0415
    from handclasp.gateway.envoy.bootstrap_file import bootstrap  # noqa: PLC0415

    apply_gateway_options(session, upstream=upstream, listen=listen, refusal=refusal)
    require_upstream(session)
    state = session.state.resolve()
    settings = session.settings.gateway
    show_json(bootstrap(settings, state / "gateway" / "envoy", str(state / settings.access_log)))


@gateway.command(epilog=example("handclasp gateway check"))
@gateway_options
@json_option
@click.pass_obj
def check(session: "Session", upstream: str | None, listen: str | None, refusal: str | None, as_json: bool) -> None:
    """Is there an Envoy that will do, does it accept the configuration, and how many certificates would pass?"""
    from handclasp.cli.output import show_facts, show_json  # noqa: PLC0415
    from handclasp.gateway.check import check_gateway  # noqa: PLC0415

    # The port's owner does not matter to Envoy's own validation; a service that is not named yet neither.
    upstream = upstream or session.settings.gateway.upstream or "http://127.0.0.1:80"
    apply_gateway_options(session, upstream=upstream, listen=listen, refusal=refusal)
    found = check_gateway(session.settings, session.registry, session.truststore, session.now)
    if as_json:
        show_json({"envoy": str(found.envoy), "version": found.version, "decisions": found.decisions})
        return
    decisions = ", ".join(f"{count} {reason}" for reason, count in sorted(found.decisions.items()))
    show_facts(
        [
            ("Envoy", f"{found.envoy} ({found.version})"),
            ("configuration", "accepted"),
            ("certificates", decisions or "none registered"),
        ]
    )
