"""`handclasp client export`: a client's files, once more."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handclasp.cli.context import Session
from handclasp.cli.lazy import example
from handclasp.cli.options import json_option, name_argument, pkcs12_option, pkcs12_passphrase
from handclasp.cli.output import say, show_facts, show_json
from handclasp.errors import InvalidInput, NotRegistered
from handclasp.registry.records import Certificate, CertificateStatus, ClientStatus

if TYPE_CHECKING:
    from handclasp.delivery.port import Credential
    from handclasp.pki.identity import ClientId


@click.command(epilog=example("handclasp client export acme --out acme/ --pkcs12-passphrase-file acme.pass"))
@name_argument
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Write the files here.")
@pkcs12_option
@json_option
@click.pass_obj
def export(session: Session, name: "ClientId", out: Path, pkcs12_passphrase_file: str | None, as_json: bool) -> None:
    """Copy what was delivered last to client NAME into a folder, as `client add --out` writes it.

    For a client whose key we never had (its own CSR, or adopted) that is certificate, full chain and trust anchor.
    """
    from handclasp.bootstrap import open_folder  # noqa: PLC0415

    passphrase = pkcs12_passphrase(pkcs12_passphrase_file)
    client = session.registry.client(name)
    files = session.delivery.collect(client.client_id)
    credential = _delivered(client.client_id, files) if files else _registered(session, client.client_id)
    if passphrase is not None:
        credential = _with_pkcs12(credential, passphrase)
    folder = open_folder(out).deliver(credential)
    if client.status is not ClientStatus.ACTIVE:
        say(f"warning: client {client.client_id} is {client.status.value}: gateways refuse it")
    names = sorted(credential.files())
    if as_json:
        show_json({"name": client.client_id, "folder": folder, "files": names})
    else:
        show_facts([("client", client.client_id), ("folder", folder), ("files", ", ".join(names))])


def _delivered(client_id: str, files: dict[str, bytes]) -> "Credential":
    from handclasp.delivery.port import Credential  # noqa: PLC0415
    from handclasp.pki.keys import PrivateKeyPem  # noqa: PLC0415

    return Credential(
        client_id=client_id,
        certificate=files["client.pem"],
        full_chain=files["fullchain.pem"],
        trust_anchor=files["ca.pem"],
        key=PrivateKeyPem(files["client.key"]) if "client.key" in files else None,
    )


def _registered(session: Session, client_id: str) -> "Credential":
    """From the registry: the newest active certificate with its issuers."""
    from cryptography import x509  # noqa: PLC0415

    from handclasp.authority.issuers import issuer_path, sent_path, trust_anchors  # noqa: PLC0415
    from handclasp.delivery.port import Credential  # noqa: PLC0415
    from handclasp.pki.bundle import full_chain  # noqa: PLC0415
    from handclasp.pki.pem import certificate_pem  # noqa: PLC0415

    record = _newest(session.registry.certificates(client_id), client_id)
    certificate = x509.load_der_x509_certificate(record.der)
    issuers = session.registry.issuers()
    path = (certificate, *sent_path(issuers, record.issuer_id))
    anchors = trust_anchors(issuers, issuer_path(issuers, record.issuer_id)[-1])
    return Credential(client_id, certificate_pem(certificate), full_chain(path), certificate_pem(*anchors))


def _newest(certificates: list[Certificate], client_id: str) -> Certificate:
    active = [c for c in certificates if c.status is CertificateStatus.ACTIVE]
    if not active:
        raise NotRegistered(
            f"client {client_id} has no active certificate to export", hint=f"handclasp client renew {client_id}"
        )
    return max(active, key=lambda c: c.not_before)


def _with_pkcs12(credential: "Credential", passphrase: bytes) -> "Credential":
    from dataclasses import replace  # noqa: PLC0415

    from handclasp.pki.bundle import pkcs12_file  # noqa: PLC0415
    from handclasp.pki.keys import open_sealed  # noqa: PLC0415
    from handclasp.pki.pem import load_certificates  # noqa: PLC0415

    if credential.key is None:
        raise InvalidInput(f"PKCS#12 holds the private key, and client {credential.client_id}'s was never here")
    path = load_certificates(credential.full_chain)
    return replace(credential, pkcs12=pkcs12_file(credential.client_id, open_sealed(credential.key), path, passphrase))
