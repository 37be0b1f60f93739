"""What `client add` and `client renew` share: from options to a request, and from a certificate to its files."""

import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handclasp.authority.enrol import Enrolment, Issued
from handclasp.authority.handover import hand_over
from handclasp.authority.rotation.gateway_evidence import behind
from handclasp.cli.context import Session
from handclasp.cli.input_files import read_file
from handclasp.cli.options import pkcs12_passphrase
from handclasp.cli.output import moment, say, show_facts, show_json
from handclasp.cli.views import certificate_json, client_json
from handclasp.errors import DeliveryFailed, InvalidInput
from handclasp.pki.identity import ClientId, subject_text
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.request import CertificateRequest, read_csr

if TYPE_CHECKING:
    from handclasp.delivery.port import Delivery


#: Longer than a gateway takes that is not in trouble; the certificate is delivered all the same.
_GATEWAYS_SECONDS = 10.0
_SOON_SECONDS = 0.05


def enrolment(session: Session, name: ClientId, environment: str, application: str, given: dict[str, Any]) -> Enrolment:
    """Every option checked before anything is made. Raises InvalidInput, RequestRejected."""
    request = _request(given["csr"])
    if request is not None and given["key_algorithm"] is not None:
        raise InvalidInput("--key-algorithm is for a key made here: with --csr the key is there already")
    if request is not None and given["pkcs12_passphrase_file"] is not None:
        raise InvalidInput("PKCS#12 holds the private key, and with --csr it is not here")
    if given["common_name"] is not None:
        subject_text(given["common_name"], "--common-name")
    session.practice.client.lasting(given["days"])
    return Enrolment(
        client_id=name,
        environment=environment,
        application=application,
        owner=given.get("owner"),
        contact=given.get("contact"),
        common_name=given["common_name"],
        request=request,
        key_algorithm=KeyAlgorithm(given["key_algorithm"]) if given["key_algorithm"] else None,
        days=given["days"],
    )


class Handover:
    """Where the files will go: everything that can be refused is, before a certificate is issued."""

    def __init__(self, session: Session, given: dict[str, Any], *, own_key: bool) -> None:
        self._session = session
        self._passphrase = pkcs12_passphrase(given["pkcs12_passphrase_file"])
        self._deliveries: list[Delivery] = [session.delivery]
        out: Path | None = given["out"]
        if out is not None:
            from handclasp.bootstrap import open_folder  # noqa: PLC0415

            folder = open_folder(out)
            folder.check(_file_names(own_key=own_key, pkcs12=self._passphrase is not None))
            self._deliveries.append(folder)

    def give(self, issued: Issued) -> Path:
        """The folder the files are in: --out if there is one, else the delivery store's."""
        self._wait_for_gateways()
        try:
            places = hand_over(
                issued,
                self._deliveries,
                registry=self._session.registry,
                now=self._session.now,
                pkcs12_passphrase=self._passphrase,
            )
        except DeliveryFailed as error:
            error.hint = error.hint or "the certificate is registered but nobody has it: run the same command again"
            raise
        return Path(places[-1])

    def _wait_for_gateways(self) -> None:
        """A client may read its new files at once: a gateway that does not know them yet would refuse it."""
        registry = self._session.registry
        revision, until = registry.revision(), time.monotonic() + _GATEWAYS_SECONDS
        while late := behind(registry, revision):
            if time.monotonic() > until:
                say(f"warning: gateway {late[0].gateway_id} does not serve the new certificate yet")
                return
            time.sleep(_SOON_SECONDS)


def show_issued(session: Session, issued: Issued, folder: Path, *, word: str, as_json: bool) -> None:
    certificate = session.registry.certificate(issued.certificate.issuer_id, issued.certificate.serial_number)
    files = _file_names(own_key=issued.key is not None, pkcs12=(folder / "client.p12").exists())
    curl = curl_line(session, folder, own_key=issued.key is not None)
    if as_json:
        show_json(
            {
                "client": client_json(issued.client),
                "certificate": certificate_json(certificate),
                "folder": os.fspath(folder),
                "files": files,
                "curl": curl,
            }
        )
        return
    say(f"client {issued.client.client_id} is {word}")
    show_facts(
        [
            ("client", issued.client.client_id),
            ("subject", certificate.subject),
            ("serial number", certificate.serial_number),
            ("SHA-256", certificate.fingerprint),
            ("valid", f"{moment(certificate.not_before)} to {moment(certificate.not_after)}"),
            ("folder", folder),
            ("files", ", ".join(files)),
            ("try", curl),
        ]
    )


def curl_line(session: Session, folder: Path, *, own_key: bool) -> str:
    """The command to try by hand, against the gateway as it is configured."""
    gateway = session.settings.gateway
    host, _, port = gateway.listen.rpartition(":")
    if host.strip("[]") in {"", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"}:  # noqa: S104 - compared, not bound
        host = "localhost"
    key = folder / "client.key" if own_key else Path("client.key")
    words = ["curl", "--cert", folder / "fullchain.pem", "--key", key, "--cacert", folder / "ca.pem"]
    return shlex.join([*map(str, words), f"https://{host}:{port}/"])


def _request(path: str | None) -> CertificateRequest | None:
    if path is None:
        return None
    request = read_csr(read_file(path, "CSR"), f"CSR {path}")
    if request.ignored:
        say(f"note: the CSR asks for {', '.join(request.ignored)}: ignored, the issuance profile decides")
    return request


def _file_names(*, own_key: bool, pkcs12: bool) -> list[str]:
    return [
        *(["client.key"] if own_key else []),
        "client.pem",
        "fullchain.pem",
        "ca.pem",
        *(["client.p12"] if pkcs12 else []),
    ]
