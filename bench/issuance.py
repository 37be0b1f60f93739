"""One certificate in process, from CSR to registry record, against a bare verify and sign of the same sizes.

P-256 throughout. Each step is a function that ends where the next begins, so that their differences say what a step
costs; every one runs in a process of its own, at two lengths, and what both lengths do once cancels out.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bench.instructions import Counter, NoCounter, counter, per_iteration, python
from handclasp.authority.establish import HierarchyPlan, make_intermediate, make_root
from handclasp.authority.recording import certificate_record
from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.identity import Identity, client_id, subject
from handclasp.pki.issuance import IssuingAuthority, Prepared, issue, prepare
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.pki.naming import issuer_id
from handclasp.pki.pem import certificate_pem
from handclasp.pki.profile import CLIENT
from handclasp.pki.request import CertificateRequest, read_csr
from handclasp.registry.records import Certificate

_GOAL = 1.7
_ITERATIONS = 100
_NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Material:
    """What issuing starts from. The issuer's URLs are set, as an authority with a CRL has them."""

    issuer: IssuingAuthority
    issuer_id: str
    csr: bytes
    identity: Identity

    @cached_property
    def issued(self) -> x509.Certificate:
        return _issue(self)

    @cached_property
    def signed_bytes(self) -> tuple[bytes, bytes, ec.EllipticCurvePublicKey, bytes]:
        """What a CSR's signature covers, that signature, its key, and what a certificate's signature covers."""
        csr = x509.load_pem_x509_csr(self.csr)
        key = csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return csr.tbs_certrequest_bytes, csr.signature, key, self.issued.tbs_certificate_bytes


def _material() -> Material:
    plan = HierarchyPlan()
    root = make_root(plan, _NOW)
    assert root.key is not None
    made = make_intermediate(plan, root.certificate, root.key, _NOW)
    assert made.key is not None
    urls = IssuerUrls("http://pki.example.com/issuing.cer", "http://pki.example.com/issuing.crl")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Prod-Nextjs-Client")])
    csr = x509.CertificateSigningRequestBuilder(name).sign(generate(KeyAlgorithm.P256), hashes.SHA256())
    identity = Identity("example.org", "prod", "nextjs", client_id("acme"))
    authority = IssuingAuthority(made.certificate, made.key, urls)
    return Material(authority, issuer_id(made.certificate), csr.public_bytes(Encoding.PEM), identity)


def _verify_and_sign(material: Material) -> None:
    request, signature, key, certificate = material.signed_bytes
    key.verify(signature, request, ec.ECDSA(hashes.SHA256()))
    assert isinstance(material.issuer.key, ec.EllipticCurvePrivateKey)
    material.issuer.key.sign(certificate, ec.ECDSA(hashes.SHA256()))


def _request(material: Material) -> CertificateRequest:
    return read_csr(material.csr)


def _prepare(material: Material) -> Prepared:
    identity = material.identity
    return prepare(
        _request(material),
        CLIENT,
        material.issuer,
        subject=subject(identity.common_name),
        now=_NOW,
        names=[x509.UniformResourceIdentifier(identity.uri)],
    )


def _issue(material: Material) -> x509.Certificate:
    return issue(_prepare(material), material.issuer)


def _issue_pem(material: Material) -> bytes:
    return certificate_pem(_issue(material))


def _whole(material: Material) -> tuple[bytes, Certificate]:
    """What enrolling does between reading the CSR and writing the registry's row."""
    prepared = _prepare(material)
    certificate = issue(prepared, material.issuer)
    record = certificate_record(
        certificate,
        issuer=material.issuer_id,
        client_id=material.identity.client_id,
        profile=CLIENT.name,
        now=_NOW,
        subject_public_key_info=prepared.request.spki,
    )
    return certificate_pem(certificate), record


STEPS: dict[str, tuple[str, Callable[[Material], object]]] = {
    "bare": ("bare verify + sign", _verify_and_sign),
    "request": ("read the CSR, verify it", _request),
    "prepare": ("  + decide every field", _prepare),
    "issue": ("  + encode and sign", _issue),
    "pem": ("  + PEM", _issue_pem),
    "whole": ("  + the registry's record", _whole),
}


def main() -> None:
    try:
        count = counter()
    except NoCounter as reason:
        print(f"skipped: {reason}")
        return
    costs = {step: _cost(count, step) for step in STEPS}
    print(f"thousand instructions per certificate ({count.name}), what the step adds, and times bare")
    before = 0.0
    for step, (title, _) in STEPS.items():
        added = costs[step] - before if step not in {"bare", "request"} else costs[step]
        before = costs[step]
        goal = f"  (goal: at most {_GOAL})" if step == "whole" else ""
        print(f"{title:28} {costs[step] / 1e3:8.0f} {added / 1e3:8.0f} {costs[step] / costs['bare']:6.2f}{goal}")


def _cost(count: Counter, step: str) -> float:
    return per_iteration(lambda n: count.command(python("-m", "bench.issuance", step, str(n))), _ITERATIONS)


def _run(step: str, iterations: int) -> None:
    material = _material()
    work = STEPS[step][1]
    for _ in range(iterations):
        work(material)


if __name__ == "__main__":
    if sys.argv[1:]:
        _run(sys.argv[1], int(sys.argv[2]))
    else:
        main()
