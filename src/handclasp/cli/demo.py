"""The demo behind `handclasp up --demo`: an authority if there is none, a client, and the proof that it holds."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from handclasp.atomic_file import write_atomically
from handclasp.authority.enrol import Enrolment, enrol, renew
from handclasp.authority.establish import HierarchyPlan, establish, make_intermediate, make_root
from handclasp.authority.handover import hand_over
from handclasp.cli.boundary import FAILED, guarded
from handclasp.cli.client.issued import curl_line
from handclasp.cli.context import Session
from handclasp.cli.output import data, say
from handclasp.cli.state_folder import prepare_state_folder
from handclasp.cli.verify_table import show_results, summary
from handclasp.errors import NotEstablished, NotRegistered
from handclasp.gateway.stop import Stop
from handclasp.pki.identity import client_id
from handclasp.pki.keys import open_sealed
from handclasp.pki.pem import load_certificates
from handclasp.registry.records import CertificateStatus
from handclasp.verify.acceptance import acceptance
from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import Endpoint
from handclasp.verify.own_authority import OwnAuthority
from handclasp.verify.result import all_passed
from handclasp.verify.target import target

CLIENT = client_id("demo")
PASSPHRASE_FILE = "demo-root-passphrase"  # noqa: S105 - a file name
#: A demo certificate with less than this left is renewed when the demo starts.
_RENEW_WITHIN_SECONDS = 86_400
#: How long the check that runs when the gateway stops is waited for.
_FINISH_SECONDS = 10


def establish_demo(session: Session) -> None:
    """Root and intermediate, if there is no authority yet. The passphrase is made up and kept beside them."""
    try:
        if session.registry.issuers():
            return
    except NotEstablished:
        pass
    prepare_state_folder(session.state)
    kept = session.state / PASSPHRASE_FILE
    # Durable before the key it opens: a run that is killed in between leaves a passphrase to use again.
    passphrase = kept.read_bytes().strip() if kept.exists() else secrets.token_urlsafe(24).encode()
    write_atomically(kept, passphrase + b"\n")
    plan = HierarchyPlan(organization=session.practice.organization)
    root = make_root(plan, session.now)
    assert root.key is not None  # noqa: S101 - make_root makes one
    establish(
        root,
        make_intermediate(plan, root.certificate, root.key, session.now, session.practice.urls),
        registry=session.create_registry(),
        custody=session.custody,
        passphrase=passphrase,
        actor=session.actor,
        now=session.now,
    )
    say(f"established a demo authority in {session.state}")
    say(f"its root passphrase is made up and kept in {kept}: for this demo only, never for a real root")


@dataclass
class DemoRun:
    """Runs the acceptance tests while the gateway serves, in a thread of its own.

    `files` are the demo client's, enrolled before the gateway starts, so that its first table lets the client in.
    """

    session: Session
    files: dict[str, bytes]
    stop: Stop
    once: bool
    _code: int | None = None
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)
        self._thread.start()

    def finish(self) -> int:
        """The exit code: the tests' own; without a verdict a failure if that was all that was asked for."""
        if self._thread is not None:
            self._thread.join(_FINISH_SECONDS)
        return self._code if self._code is not None else FAILED * self.once

    def _run(self) -> None:
        session = Session(str(self.session.state), str(self.session.config) if self.session.config else None)
        session.settings = self.session.settings
        code = guarded(lambda: self._prove(session))
        session.close()
        if self.stop.is_set():
            return
        self._code = code
        if self.once or code:
            self.stop.set()

    def _prove(self, session: Session) -> int:
        files = self.files
        port = session.settings.gateway.listen.rpartition(":")[2]
        url = f"https://localhost:{port}/"
        endpoint = Endpoint(
            target(url),
            Credential(tuple(load_certificates(files["fullchain.pem"])[:-1]), open_sealed(files["client.key"])),
            tuple(load_certificates(files["ca.pem"])),
        )
        own = OwnAuthority(session.registry, session.custody, session.practice, session.actor)
        say(f"serving {url} in front of {session.settings.gateway.upstream}; testing it")
        results = []
        for result in acceptance(endpoint, own, lambda: datetime.now(UTC)):
            if self.stop.is_set():
                return FAILED
            results.append(result)
        show_results(results)
        say(summary(results))
        passed = all_passed(results)
        if passed and not self.once:
            say("try it by hand:")
            data(curl_line(session, _folder(session), own_key=True))
            say("serving until Ctrl-C")
        return 0 if passed else 1


def _folder(session: Session) -> Path:
    return session.state / "clients" / CLIENT


def demo_credential(session: Session) -> dict[str, bytes]:
    """The demo client's files, enrolling or renewing it when there is none that serves."""
    files = session.delivery.collect(CLIENT)
    now = session.now.timestamp()
    try:
        certificates = session.registry.certificates(session.registry.client(CLIENT).client_id)
        known = True
    except NotRegistered:
        certificates, known = [], False
    delivered = load_certificates(files["client.pem"])[0].serial_number if "client.pem" in files else None
    for certificate in certificates:
        serves = certificate.status is CertificateStatus.ACTIVE and certificate.not_after - now > _RENEW_WITHIN_SECONDS
        if serves and int(certificate.serial_number, 16) == delivered and "client.key" in files:
            return files
    use_case = renew if known and any(c.delivered_at for c in certificates) else enrol
    issued = use_case(
        Enrolment(CLIENT, "demo", "sample"),
        registry=session.registry,
        custody=session.custody,
        practice=session.practice,
        actor=session.actor,
        now=session.now,
    )
    hand_over(issued, [session.delivery], registry=session.registry, now=session.now)
    return session.delivery.collect(CLIENT)
