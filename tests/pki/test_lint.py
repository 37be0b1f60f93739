"""pkilint, the linter certification bodies use, finds nothing at NOTICE or above in what we issue."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader
from pkilint.bin import lint_pkix_signer_signee_cert_chain as chain
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

from handclasp.pki.extensions import IssuerUrls
from handclasp.pki.identity import subject
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.profile import CLIENT, INTERMEDIATE, OCSP_RESPONDER, SERVER, Profile
from handclasp.pki.request import for_key
from tests import making
from tests.making import NOW, Ca

#: The one waiver. pkilint holds URIs against a closed list of schemes, in which SPIFFE's is missing.
WAIVED = {("itu.invalid_uri_syntax", "spiffe://"), ("pkix.invalid_uri_syntax", "spiffe://")}
URLS = IssuerUrls("http://pki.example.internal/issuing.cer", "http://pki.example.internal/issuing.crl")
ALGORITHMS = [a for a in KeyAlgorithm if a is not KeyAlgorithm.RSA4096]


def findings(results: object) -> Iterator[str]:
    assert isinstance(results, list)
    for result in results:
        for found in result.finding_descriptions:
            severe = found.finding.severity <= ValidationFindingSeverity.NOTICE
            if severe and not any(code == found.finding.code and text in str(found.message) for code, text in WAIVED):
                yield f"{found.finding.severity} {found.finding.code} {found.message}"


def lint(made: x509.Certificate) -> list[str]:
    validator = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    return list(findings(validator.validate(_document(made, "certificate", {}).root)))


def lint_chain(issuer: x509.Certificate, made: x509.Certificate) -> list[str]:
    documents: dict[str, object] = {}
    above = documents["issuer"] = _document(issuer, "issuer", documents)
    below = documents["subject"] = _document(made, "subject", documents)
    decoder = chain.create_decoder_validation_container()
    results = decoder.validate(above.root) + decoder.validate(below.root)
    results += chain.create_issuer_validation_container().validate(above.root)
    results += chain.create_subject_validation_container().validate(below.root)
    return list(findings(results))


def _document(made: x509.Certificate, label: str, documents: dict[str, object]) -> "loader.RFC5280Certificate":
    der = made.public_bytes(Encoding.DER)
    return loader.RFC5280CertificateDocumentLoader().load_der_document(der, label, label, documents)


def issued(profile: Profile, algorithm: KeyAlgorithm, urls: IssuerUrls) -> tuple[Ca, x509.Certificate]:
    issuer = making.root(algorithm) if profile is INTERMEDIATE else making.intermediate(algorithm)
    names: dict[str, list[x509.GeneralName]] = {
        "client": [x509.UniformResourceIdentifier("spiffe://handclasp.internal/prod/acme")],
        "server": [x509.DNSName("gateway.example.internal"), x509.IPAddress(ip_address("127.0.0.1"))],
    }
    named = x509.Name([]) if profile is SERVER else subject("Prod-NextJs-Client", "Acme, Inc.")
    authority = IssuingAuthority(issuer.certificate, issuer.key, urls)
    key = making.key(algorithm)
    wanted = profile.configured(policy="1.3.6.1.4.1.55555.1.2") if profile in {CLIENT, SERVER} else profile
    prepared = prepare(for_key(key), wanted, authority, subject=named, now=NOW, names=names.get(profile.name, []))
    return issuer, issue(prepared, authority)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_root_lints_clean(algorithm: KeyAlgorithm) -> None:
    root = making.root(algorithm).certificate
    assert lint(root) == []
    assert lint_chain(root, root) == []


@pytest.mark.parametrize("urls", [URLS, IssuerUrls()], ids=["with URLs", "without URLs"])
@pytest.mark.parametrize("profile", [INTERMEDIATE, CLIENT, SERVER, OCSP_RESPONDER], ids=lambda p: p.name)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_we_issue_lints_clean(profile: Profile, algorithm: KeyAlgorithm, urls: IssuerUrls) -> None:
    issuer, made = issued(profile, algorithm, urls)
    assert lint(made) == []
    assert lint_chain(issuer.certificate, made) == []


def test_the_linter_would_have_found_something() -> None:
    """A linter that is called wrongly finds nothing, ever."""
    bad = making.certificate("bad", extensions=[(x509.BasicConstraints(ca=True, path_length=None), False)])
    assert any("ERROR" in found for found in lint(bad))
    assert any("ERROR" in found for found in lint_chain(making.root().certificate, bad))
