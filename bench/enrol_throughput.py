"""Enrolments a second in one process, each durable before the next, against what is at least needed for one.

In turn, round by round: `enrol` (CSR to committed row and audit entry), a bare signature with one committed row, and
`openssl x509 -req`, a process per certificate that remembers nothing. For information: times vary, ratios less.
"""

import sqlite3
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench.deployment import ACTOR, Deployment, deployment
from handclasp.authority.enrol import Enrolment, enrol
from handclasp.authority.issuers import signing_issuer
from handclasp.pki.identity import client_id, subject
from handclasp.pki.keys import KeyAlgorithm, generate, seal
from handclasp.pki.pem import certificate_pem
from handclasp.pki.request import read_csr

_ROUNDS = 7
_PER_ROUND = 100
_REGISTERED = 1_000


def main() -> None:
    with deployment(clients=_REGISTERED) as made, TemporaryDirectory(prefix="handclasp-bench-") as folder:
        measured = {
            "enrol": _enrolling(made),
            "bare sign + commit": _bare(made, Path(folder)),
            "openssl x509 -req": _openssl(made, Path(folder)),
        }
        rates: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(_ROUNDS):
            for name, run in measured.items():
                csrs = [_csr() for _ in range(_PER_ROUND)]
                started = time.perf_counter()
                for csr in csrs:
                    run(csr)
                rates[name].append(_PER_ROUND / (time.perf_counter() - started))
    print(f"certificates a second, one process, P-256, {_ROUNDS} rounds of {_PER_ROUND} in turn, and enrol / peer")
    for name, each in rates.items():
        ratio = median(ours / peer for ours, peer in zip(rates["enrol"], each, strict=True))
        print(f"{name:20} {median(each):8,.0f} {ratio:6.2f}")


def _csr() -> bytes:
    key = generate(KeyAlgorithm.P256)
    builder = x509.CertificateSigningRequestBuilder(subject("Prod-Nextjs-Client"))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _enrolling(made: Deployment) -> Callable[[bytes], object]:
    session, number = made.session, count()

    def run(csr: bytes) -> object:
        return enrol(
            Enrolment(client_id(f"newcomer-{next(number)}"), "prod", "nextjs", request=read_csr(csr)),
            registry=session.registry,
            custody=session.custody,
            practice=session.practice,
            actor=ACTOR,
            now=datetime.now(UTC),
        )

    return run


def _bare(made: Deployment, folder: Path) -> Callable[[bytes], object]:
    """A signature over as many bytes as a certificate has, and a row with them, durable like ours."""
    key = signing_issuer(made.session.registry, made.session.custody, made.session.practice.urls).authority.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE certificate (der BLOB)")

    def run(csr: bytes) -> object:
        signature = key.sign(csr, ec.ECDSA(hashes.SHA256()))
        return database.execute("INSERT INTO certificate VALUES (?)", (csr + signature,))

    return run


def _openssl(made: Deployment, folder: Path) -> Callable[[bytes], object]:
    signing = signing_issuer(made.session.registry, made.session.custody, made.session.practice.urls)
    (folder / "issuer.pem").write_bytes(certificate_pem(signing.authority.certificate))
    key = signing.authority.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (folder / "issuer.key").write_bytes(bytes(seal(key)))
    command = ["openssl", "x509", "-req", "-CA", "issuer.pem", "-CAkey", "issuer.key", "-days", "90"]

    def run(csr: bytes) -> object:
        return subprocess.run(command, cwd=folder, input=csr, capture_output=True, check=True)

    return run


if __name__ == "__main__":
    main()
