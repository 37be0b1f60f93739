"""`handclasp up`: everything on one machine, in the foreground, until Ctrl-C."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handclasp.cli.gateway_options import apply_gateway_options, gateway_options, require_upstream
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option

if TYPE_CHECKING:
    from handclasp.cli.context import Session


@click.command(
    epilog=example(
        "handclasp up --demo",
        "handclasp up --upstream http://127.0.0.1:3000 --listen 127.0.0.1:8443",
    )
)
@gateway_options
@click.option("--demo", is_flag=True, help="Make an authority if there is none, a sample service, a client; test it.")
@click.option("--once", is_flag=True, help="With --demo: end after the tests, with their exit code.")
@click.option("--no-schedule", is_flag=True, help="Rotate, supersede and tell nothing: a timer does.")
@click.option("--ready-file", metavar="FILE", type=click.Path(path_type=Path), help="Exists while requests are served.")
@json_option
@click.pass_context
def up(
    ctx: click.Context,
    upstream: str | None,
    listen: str | None,
    refusal: str | None,
    demo: bool,
    once: bool,
    no_schedule: bool,
    ready_file: Path | None,
    as_json: bool,
) -> None:
    """Publish the trust store, start Envoy in front of the service and follow the registry.

    A client that is enrolled is let in, one that is revoked or suspended is refused on its open connections, without
    a restart. One process tree: Envoy is restarted if it crashes, and stopped with this command. Every minute it
    does what is due, as `handclasp schedule run` does: rotate, supersede, tell of what ends.
    """
    from handclasp.authority.publish import publish  # noqa: PLC0415
    from handclasp.cli.output import say, show_json  # noqa: PLC0415
    from handclasp.cli.serving import serve_session, stopping_on_signals  # noqa: PLC0415
    from handclasp.cli.up_schedule import scheduling  # noqa: PLC0415

    session: Session = ctx.obj
    if once and not demo:
        raise click.UsageError("--once goes with --demo", ctx)
    apply_gateway_options(session, upstream=upstream, listen=listen, refusal=refusal)
    with stopping_on_signals() as stop, ExitStack() as stack:
        if demo:
            from handclasp.cli.demo import DemoRun, demo_credential, establish_demo  # noqa: PLC0415
            from handclasp.gateway.sample_service import sample_service  # noqa: PLC0415

            establish_demo(session)
            if session.settings.gateway.upstream is None:
                sample = stack.enter_context(sample_service())
                session.settings = replace(session.settings, gateway=replace(session.settings.gateway, upstream=sample))
        require_upstream(session)
        published = publish(
            registry=session.registry, truststore=session.truststore, actor=session.actor, now=session.now
        )
        for finding in published.findings:
            say(f"warning: trust store: {finding.message}")
        if demo:
            run = DemoRun(session, demo_credential(session), stop, once)

        def on_ready() -> None:
            gateway = session.settings.gateway
            if as_json:
                show_json({"event": "serving", "listen": gateway.listen, "upstream": gateway.upstream})
            if not no_schedule:
                stack.enter_context(scheduling(session, stop))
            if demo:
                run.start()
            else:
                say(f"serving https://{gateway.listen}/ in front of {gateway.upstream}, until Ctrl-C")

        serve_session(session, stop, on_ready, ready_file)
        if demo and (code := run.finish()):
            ctx.exit(code)
