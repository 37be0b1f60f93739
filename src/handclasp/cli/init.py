"""`handclasp init`: establish the authority, or take up an init that was killed."""

from typing import TYPE_CHECKING, Any

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import ALGORITHMS, json_option
from handclasp.cli.presets import PRESETS, write_settings
from handclasp.cli.root_passphrase import asked_passphrase, given_passphrase
from handclasp.errors import AlreadyEstablished, KeyUnavailable, NotEstablished

if TYPE_CHECKING:
    from handclasp.authority.establish import HierarchyPlan, IssuerMaterial
    from handclasp.registry.records import Issuer


@click.command(
    epilog=example(
        "handclasp init --root-passphrase-file root.pass",
        "handclasp init --preset how-to --organization 'Acme Inc' --root-passphrase-fd 3 3<root.pass",
        "handclasp init --import-root ca.crt --import-intermediate issuing.p12 --import-passphrase-file p12.pass",
    )
)
@click.option("--root-passphrase-file", metavar="FILE", help="Its first line encrypts the root's key.")
@click.option("--root-passphrase-fd", metavar="N", type=int, help="The same, from an open file descriptor.")
@click.option("--root-name", metavar="TEXT", help="CN of the root.")
@click.option("--intermediate-name", metavar="TEXT", help="CN of the intermediate.")
@click.option("--organization", metavar="TEXT", help="O of both.")
@click.option("--root-algorithm", type=click.Choice(ALGORITHMS), help="Default p256.")
@click.option("--intermediate-algorithm", type=click.Choice(ALGORITHMS), help="Default p256.")
@click.option("--root-days", type=int, metavar="N", help="Default 3650.")
@click.option("--intermediate-days", type=int, metavar="N", help="Default 1825.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="how-to: RSA-4096 root for 3650 days, RSA-3072 intermediate, RSA-2048 clients for 365 days.",
)
@click.option("--import-root", metavar="CERT", help="Adopt this root, PEM or PKCS#12.")
@click.option("--import-root-key", metavar="KEY", help="Its key; may stay offline if an intermediate is imported.")
@click.option("--import-intermediate", metavar="CERT", help="Adopt this intermediate, PEM or PKCS#12.")
@click.option("--import-intermediate-key", metavar="KEY", help="Its key, if it is in a file of its own.")
@click.option("--import-passphrase-file", metavar="FILE", help="Opens what is imported encrypted.")
@json_option
@click.pass_obj
def init(session: Session, /, as_json: bool, **given: Any) -> None:
    """Establish the authority: an offline root, the intermediate it signs, the registry and the trust store.

    The root's key is encrypted with a passphrase (from a file, a descriptor, or asked for on a terminal; never from
    the command line) and is needed for nothing but intermediates: copy STATE/pki/root-*.key away, and remove it.
    Run again with the same passphrase it changes nothing and mends what a killed run left behind.
    """
    passphrase = given_passphrase(given["root_passphrase_file"], given["root_passphrase_fd"])
    established = _established(session)
    if not established:
        hierarchy = _hierarchy(session, given)
        if hierarchy[0].key is not None and passphrase is None:
            passphrase = asked_passphrase()
        _establish(session, hierarchy, passphrase or b"", given["preset"])
    else:
        _recognise(session, established, passphrase, given)
    _publish_and_show(session, changed=not established, as_json=as_json)


def _established(session: Session) -> "list[Issuer]":
    try:
        return session.registry.issuers()
    except NotEstablished:
        return []


def _hierarchy(session: Session, given: dict[str, Any]) -> "tuple[IssuerMaterial, IssuerMaterial]":
    """Root and intermediate, made or imported, in memory: whatever may be wrong is found before a file is made."""
    from handclasp.authority.establish import make_intermediate, make_root  # noqa: PLC0415
    from handclasp.cli.imported import check_publishable, read_imports  # noqa: PLC0415

    plan = _plan(session, given)
    urls = session.practice.urls
    root, intermediate = read_imports(given)
    if root is None:
        root = make_root(plan, session.now)
    if intermediate is None:
        assert root.key is not None  # noqa: S101 - read_imports() asks for a key where no intermediate is given
        intermediate = make_intermediate(plan, root.certificate, root.key, session.now, urls)
    check_publishable(root, intermediate, session.now)
    return root, intermediate


def _plan(session: Session, given: dict[str, Any]) -> "HierarchyPlan":
    from handclasp.authority.establish import HierarchyPlan  # noqa: PLC0415
    from handclasp.pki.identity import subject_text  # noqa: PLC0415
    from handclasp.pki.keys import KeyAlgorithm  # noqa: PLC0415
    from handclasp.pki.profile import INTERMEDIATE, ROOT  # noqa: PLC0415

    chosen: dict[str, Any] = dict(PRESETS[given["preset"]].hierarchy) if given["preset"] else {}
    for name in ("root_name", "intermediate_name", "organization", "root_days", "intermediate_days"):
        if given[name] is not None:
            chosen[name] = given[name]
    for name in ("root_algorithm", "intermediate_algorithm"):
        algorithm = given[name] or chosen.get(name)
        if algorithm is not None:
            chosen[name] = KeyAlgorithm(algorithm)
    chosen.setdefault("organization", session.practice.organization)
    for name in ("root_name", "intermediate_name", "organization"):
        if chosen.get(name) is not None:
            subject_text(chosen[name], f"--{name.replace('_', '-')}")
    plan = HierarchyPlan(**chosen)
    ROOT.lasting(plan.root_days)
    INTERMEDIATE.lasting(plan.intermediate_days)
    return plan


def _establish(
    session: Session, hierarchy: "tuple[IssuerMaterial, IssuerMaterial]", passphrase: bytes, preset: str | None
) -> None:
    from handclasp.authority.establish import establish  # noqa: PLC0415
    from handclasp.cli.state_folder import prepare_state_folder  # noqa: PLC0415

    prepare_state_folder(session.state)
    if preset is not None:
        write_settings(session, PRESETS[preset])
    establish(
        *hierarchy,
        registry=session.create_registry(),
        custody=session.custody,
        passphrase=passphrase,
        actor=session.actor,
        now=session.now,
    )


def _recognise(session: Session, issuers: "list[Issuer]", passphrase: bytes | None, given: dict[str, Any]) -> None:
    """Is this the authority that was asked for? Raises AlreadyEstablished when it is another, or nobody can tell."""
    from handclasp.cli.imported import read_imports  # noqa: PLC0415
    from handclasp.pki.naming import issuer_id  # noqa: PLC0415

    hint = "handclasp ca list shows it; use another --state for a new one"
    known = {issuer.issuer_id for issuer in issuers}
    imported = [material for material in read_imports(given, keys_needed=False) if material is not None]
    if any(issuer_id(material.certificate) not in known for material in imported):
        raise AlreadyEstablished(f"there is another authority in {session.state} already", hint=hint)
    root = issuers[0]
    if root.key_name is None:
        if not imported:
            raise AlreadyEstablished(f"there is an authority in {session.state} already", hint=hint)
        return
    try:
        session.custody.signer(root.key_name, passphrase if passphrase is not None else asked_passphrase(twice=False))
    except KeyUnavailable as error:
        raise AlreadyEstablished(
            f"there is an authority in {session.state} already, and its root's key did not open: {error}", hint=hint
        ) from None


def _publish_and_show(session: Session, *, changed: bool, as_json: bool) -> None:
    from handclasp.authority.publish import publish  # noqa: PLC0415
    from handclasp.cli.output import say, show_facts, show_json  # noqa: PLC0415
    from handclasp.cli.views import issuer_json, issuer_line  # noqa: PLC0415

    publication = publish(
        registry=session.registry, truststore=session.truststore, actor=session.actor, now=session.now
    )
    for finding in publication.findings:
        say(f"warning: trust store: {finding.message}")
    issuers = session.registry.issuers()
    if as_json:
        show_json(
            {
                "changed": changed,
                "state": str(session.state),
                "issuers": [issuer_json(issuer) for issuer in issuers],
                "truststore": publication.location,
            }
        )
        return
    say(f"established in {session.state}" if changed else f"{session.state} is already established, nothing changed")
    show_facts(
        [
            *((issuer.kind.value, issuer_line(issuer)) for issuer in issuers),
            ("trust store", publication.location),
        ]
    )
