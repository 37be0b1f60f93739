"""CA certificates and keys that `init` adopts: PEM (key inside or beside it), DER, PKCS#12."""

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from handclasp.authority.adopt import issuer_material
from handclasp.authority.establish import IssuerMaterial
from handclasp.cli.input_files import read_file, read_passphrase_file
from handclasp.errors import InvalidInput, KeyUnavailable, TruststoreRejected
from handclasp.pki.keys import PrivateKey, open_sealed, supported
from handclasp.pki.path import verify_path
from handclasp.pki.pem import block_labels, certificate_pem, check_size, load_certificate
from handclasp.truststore.rules import check_bundle

_HINT = "pass --import-passphrase-file with the passphrase of what is imported"


def read_imports(
    given: dict[str, Any], *, keys_needed: bool = True
) -> tuple[IssuerMaterial | None, IssuerMaterial | None]:
    """The root and the intermediate to adopt, None for each that is not. Raises InvalidInput."""
    for kind in ("root", "intermediate"):
        if given[f"import_{kind}_key"] is not None and given[f"import_{kind}"] is None:
            raise InvalidInput(f"--import-{kind}-key needs its certificate", hint=f"pass --import-{kind} too")
    if given["import_root"] is None and given["import_intermediate"] is not None:
        raise InvalidInput("an intermediate is imported with its root", hint="pass --import-root too")
    path = given["import_passphrase_file"]
    passphrase = None if path is None else read_passphrase_file(path, "import passphrase file")
    root, intermediate = (
        None
        if given[f"import_{kind}"] is None
        else _read(given[f"import_{kind}"], given[f"import_{kind}_key"], passphrase, kind)
        for kind in ("root", "intermediate")
    )
    if keys_needed and intermediate is not None and intermediate.key is None:
        raise InvalidInput(
            "the intermediate's key is missing: nothing could be issued", hint="pass --import-intermediate-key"
        )
    if keys_needed and root is not None and root.key is None and intermediate is None:
        raise InvalidInput(
            "the root's key is missing: no intermediate can be signed",
            hint="pass --import-root-key, or --import-intermediate with an intermediate it has signed and its key",
        )
    return root, intermediate


def check_publishable(root: IssuerMaterial, intermediate: IssuerMaterial, now: datetime) -> None:
    """Raises PathInvalid or TruststoreRejected while nothing is written yet, instead of after."""
    verify_path(intermediate.certificate, [], [root.certificate], now=now, as_ca=True)
    findings = check_bundle(certificate_pem(root.certificate, intermediate.certificate), now)
    if errors := [finding.message for finding in findings if finding.severity == "error"]:
        raise TruststoreRejected("gateways would refuse this authority: " + "; ".join(errors))


def _read(certificate_path: str, key_path: str | None, passphrase: bytes | None, kind: str) -> IssuerMaterial:
    what = f"{kind} certificate {certificate_path}"
    content = read_file(certificate_path, f"{kind} certificate")
    check_size(content, what)
    if b"-----BEGIN " in content:
        certificate = load_certificate(content, what)
        has_key = any(label.endswith("PRIVATE KEY") for label in block_labels(content))
        key = _open(content, passphrase, what) if has_key and key_path is None else None
    else:
        certificate, key = _der_or_pkcs12(content, passphrase, what)
    if key_path is not None:
        key = _open(read_file(key_path, f"{kind} key"), passphrase, f"{kind} key {key_path}")
    return issuer_material(certificate, key, kind)


def _open(content: bytes, passphrase: bytes | None, what: str) -> PrivateKey:
    try:
        return open_sealed(content, passphrase, what)
    except KeyUnavailable as error:
        raise InvalidInput(str(error), hint=_HINT) from None


def _der_or_pkcs12(content: bytes, passphrase: bytes | None, what: str) -> tuple[x509.Certificate, PrivateKey | None]:
    try:
        return load_certificate(content, what), None
    except InvalidInput:
        pass
    try:
        archive = pkcs12.load_pkcs12(content, passphrase)
    except ValueError:
        raise InvalidInput(
            f"{what} is neither a certificate in PEM or DER nor PKCS#12 that opens", hint=_HINT
        ) from None
    if archive.cert is None:
        raise InvalidInput(f"{what} holds no certificate with its key")
    return archive.cert.certificate, None if archive.key is None else supported(archive.key, what)
