"""Sign many certificates for clients that are registered: what they say comes from the registry and the practice.

The subject keeps the common name of the certificate before; organization, URI, lifetime and extensions are today's.
Each batch is cast in a mould (`pki.mould`) that `prepare` and `issue` made a moment before, with all their checks.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import NameOID

from handclasp.authority.practice import Practice
from handclasp.authority.recording import epoch
from handclasp.errors import InvalidInput
from handclasp.pki.der import subject_and_key
from handclasp.pki.identity import ClientId, Identity, subject, subject_text
from handclasp.pki.issuance import IssuingAuthority, issue, prepare, serial_number
from handclasp.pki.keys import KeyAlgorithm, PrivateKey, PrivateKeyPem, PublicKey, algorithm_of, generate, seal, spki
from handclasp.pki.mould import Mould
from handclasp.pki.pem import der_pem
from handclasp.pki.request import CertificateRequest
from handclasp.registry.records import Certificate, CertificateStatus

#: rsaEncryption, 1.2.840.113549.1.1.1 (RFC 8017 appendix C), and P-256 as RFC 5480 2 writes both.
_RSA = bytes.fromhex("06092a864886f70d010101")
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107")
#: Subjects remembered: most clients of an application share theirs, and a registry may have any number.
_REMEMBERED = 4_096


class Order(NamedTuple):
    """One certificate to make. `before` is the DER of the one it replaces, `public_key_id` that one's.

    With `rekey` the key is new, of the same kind.
    """

    client_id: str
    environment: str
    application: str
    before: bytes
    public_key_id: str
    own_csr: bool
    rekey: bool


class Signed(NamedTuple):
    """Its record, its PEM, its public key (DER), and its private key if that was made for it. Nothing has left yet."""

    certificate: Certificate
    pem: bytes
    public_key: bytes
    key: PrivateKeyPem | None


class BulkSigner:
    """Signs with one issuer. It belongs to one thread."""

    def __init__(self, issuer_id: str, authority: IssuingAuthority, practice: Practice) -> None:
        self._issuer_id = issuer_id
        self._authority = authority
        self._practice = practice
        self._subjects: dict[tuple[bytes, str, str], tuple[bytes, str]] = {}

    def sign(self, orders: Sequence[Order], now: datetime) -> list[Signed]:
        """In the order they were given. Raises PathInvalid when the issuer is not valid now."""
        moulds: dict[bool, tuple[Mould, int, int]] = {}
        created_at = epoch(now)
        made = []
        for order in orders:
            name, public_key = subject_and_key(order.before)
            key = None
            if order.rekey:
                key = generate(_algorithm(public_key))
                public_key = spki(key.public_key())
            is_rsa = _RSA in public_key[:32]
            if is_rsa not in moulds:
                moulds[is_rsa] = self._mould(public_key, now)
            made.append(self._cast(order, name, public_key, key, created_at, *moulds[is_rsa]))
        return made

    def _cast(
        self,
        order: Order,
        name: bytes,
        public_key: bytes,
        key: PrivateKey | None,
        created_at: int,
        mould: Mould,
        not_before: int,
        not_after: int,
    ) -> Signed:
        encoded, text = self._subject(name, order.environment, order.application)
        serial = serial_number()
        uri = f"spiffe://{self._practice.trust_domain}/{order.environment}/{order.client_id}"
        der = mould.cast(subject=encoded, spki=public_key, uri=uri, serial=serial)
        certificate = Certificate(
            issuer_id=self._issuer_id,
            serial_number=f"{serial:x}",
            fingerprint=sha256(der).hexdigest(),
            client_id=order.client_id,
            profile=self._practice.client.name,
            subject=text,
            public_key_id=order.public_key_id if key is None else sha256(public_key).hexdigest(),
            not_before=not_before,
            not_after=not_after,
            status=CertificateStatus.ACTIVE,
            created_at=created_at,
            der=der,
            own_csr=order.own_csr,
        )
        return Signed(certificate, der_pem(der), public_key, None if key is None else seal(key))

    def _mould(self, public_key: bytes, now: datetime) -> tuple[Mould, int, int]:
        loaded = load_der_public_key(public_key)
        assert isinstance(loaded, PublicKey)  # noqa: S101 - no other kind is ever certified
        model = issue(
            prepare(
                CertificateRequest(loaded, public_key),
                self._practice.client,
                self._authority,
                subject=subject("model"),
                now=now,
                names=[x509.UniformResourceIdentifier(f"spiffe://{self._practice.trust_domain}/")],
            ),
            self._authority,
        )
        return Mould(model, self._authority.key), epoch(model.not_valid_before_utc), epoch(model.not_valid_after_utc)

    def _subject(self, before: bytes, environment: str, application: str) -> tuple[bytes, str]:
        """The subject to be, as DER and as text."""
        key = (before, environment, application)
        known = self._subjects.get(key)
        if known is None:
            if len(self._subjects) >= _REMEMBERED:
                self._subjects.clear()
            name = self._renewed(*key)
            known = self._subjects[key] = (name.public_bytes(), name.rfc4514_string())
        return known

    def _renewed(self, before: bytes, environment: str, application: str) -> x509.Name:
        common_name = _common_name(before)
        if common_name is None:
            identity = Identity(self._practice.trust_domain, environment, application, ClientId(""))
            common_name = identity.common_name
        return subject(common_name, self._practice.organization)


def _common_name(name: bytes) -> str | None:
    """The common name in a Name's DER; None when there is none that we would sign (an adopted certificate's)."""
    found = [a.value for a in x509.Name.from_bytes(name) if a.oid == NameOID.COMMON_NAME]
    if not found or not isinstance(found[-1], str):
        return None
    try:
        return subject_text(found[-1], "common name")
    except InvalidInput:
        return None


def _algorithm(public_key: bytes) -> KeyAlgorithm:
    if public_key.startswith(_P256):
        return KeyAlgorithm.P256
    return algorithm_of(load_der_public_key(public_key))
