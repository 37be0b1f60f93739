"""`handclasp truststore ...`: what gateways trust."""

from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option
from handclasp.cli.output import moment, say, show_json, show_json_array, show_rows

if TYPE_CHECKING:
    from handclasp.truststore.rules import Finding


@click.group(epilog=example("handclasp truststore check"))
def truststore() -> None:
    """The trust store: the active issuers' certificates, in one PEM file that gateways read."""


@truststore.command(epilog=example("handclasp truststore show", "handclasp truststore show --json"))
@json_option
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Show where the trust store is, and the certificates in it as published."""
    from handclasp.authority.recording import epoch  # noqa: PLC0415
    from handclasp.pki.naming import fingerprint  # noqa: PLC0415
    from handclasp.pki.pem import load_certificates  # noqa: PLC0415

    location = session.truststore.location()
    certificates = load_certificates(_published(session), f"trust store {location}")
    members = [
        {
            "subject": certificate.subject.rfc4514_string(),
            "not_after": moment(epoch(certificate.not_valid_after_utc)),
            "fingerprint": fingerprint(certificate),
        }
        for certificate in certificates
    ]
    if as_json:
        show_json({"location": location, "certificates": members})
        return
    say(f"trust store {location}")
    show_rows(("not after", "SHA-256", "subject"), [(m["not_after"], m["fingerprint"], m["subject"]) for m in members])


@truststore.command(epilog=example("handclasp truststore publish"))
@click.option("--lock-out", type=int, metavar="N", help="Agree that so many active clients are locked out.")
@json_option
@click.pass_obj
def publish(session: Session, lock_out: int | None, as_json: bool) -> None:
    """Publish every issuer that is not retired, after checking that gateways would accept the bundle.

    Publishing what is published already changes nothing. Where it would take away trust that active clients depend
    on, it says who they are and when they were last seen, and needs --lock-out.
    """
    from handclasp.authority.publish import publish as publish_bundle  # noqa: PLC0415

    _confirm_lock_out(session, lock_out)
    done = publish_bundle(
        registry=session.registry, truststore=session.truststore, actor=session.actor, now=session.now
    )
    for finding in done.findings:
        say(f"warning: {finding.message}")
    if as_json:
        show_json({"location": done.location, "certificates": done.certificates, "changed": done.changed})
    else:
        word = "published" if done.changed else "is published already"
        say(f"{done.location} {word}: {done.certificates} certificates")


@truststore.command(epilog=example("handclasp truststore check", "handclasp truststore check partner-bundle.pem"))
@click.argument("file", required=False)
@json_option
@click.pass_context
def check(ctx: click.Context, file: str | None, as_json: bool) -> None:
    """Check FILE, or the published trust store, against the rules gateways depend on.

    Complete paths at most four CAs deep, SHA-256 or better, RSA of 2048 bits or more, nothing expired, no private
    key. One line a finding; exits 1 if there is an error.
    """
    from handclasp.cli.input_files import read_file  # noqa: PLC0415
    from handclasp.pki.pem import check_size  # noqa: PLC0415
    from handclasp.truststore.rules import check_bundle  # noqa: PLC0415

    session: Session = ctx.obj
    if file is None:
        bundle = _published(session)
    else:
        bundle = read_file(file, "bundle")
        check_size(bundle, f"bundle {file}")
    found = check_bundle(bundle, session.now)
    _show_findings(found, as_json=as_json)
    ctx.exit(any(finding.severity == "error" for finding in found))


def _show_findings(found: "list[Finding]", *, as_json: bool) -> None:
    if as_json:
        show_json_array({"severity": f.severity, "message": f.message} for f in found)
        return
    show_rows(("severity", "finding"), [(f.severity, f.message) for f in found])
    if not found:
        say("nothing to complain about")


def _confirm_lock_out(session: Session, named: int | None) -> None:
    """Raises LockOutRefused when members that clients depend on would go."""
    from handclasp.authority.publish import untrusted_by_publishing  # noqa: PLC0415
    from handclasp.authority.rotation.lock_out import confirm_lock_out, locked_out  # noqa: PLC0415

    going = untrusted_by_publishing(session.registry, session.truststore)
    found = list(locked_out(session.registry, going, now=int(session.now.timestamp()))) if going else []
    confirm_lock_out(found, named, "publishing the trust store")


def _published(session: Session) -> bytes:
    """Raises NotEstablished where nothing was published yet."""
    from handclasp.errors import NotEstablished  # noqa: PLC0415

    bundle = session.truststore.read()
    if bundle is None:
        raise NotEstablished(
            f"no trust store is published at {session.truststore.location()}", hint="run: handclasp truststore publish"
        )
    return bundle
