"""Sign many certificates for clients that are registered: what they say comes from the registry and the practice.

The subject keeps the common name of the certificate before; organization, URI, lifetime and extensions are today's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from handclasp.authority.practice import Practice
from handclasp.authority.recording import epoch
from handclasp.errors import InvalidInput
from handclasp.pki.identity import ClientId, Identity, subject, subject_text
from handclasp.pki.issuance import IssuingAuthority, issue, prepare
from handclasp.pki.keys import PrivateKeyPem, PublicKey, algorithm_of, generate, seal, spki
from handclasp.pki.naming import der_fingerprint, public_key_id, serial_text
from handclasp.pki.pem import der_pem
from handclasp.pki.request import CertificateRequest
from handclasp.registry.records import Certificate, CertificateStatus

#: Subjects remembered: most clients of an application share theirs, and a registry may have any number.
_REMEMBERED = 4_096


class Order(NamedTuple):
    """One certificate to make. `before` is the DER of the one it replaces; `subject`, `public_key_id` are that one's.

    With `rekey` the key is new, of the same kind.
    """

    client_id: str
    environment: str
    application: str
    before: bytes
    subject: str
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
        self._subjects: dict[tuple[str, str, str], tuple[x509.Name, str]] = {}

    def sign(self, orders: Sequence[Order], now: datetime) -> list[Signed]:
        """In the order they were given. Raises PathInvalid when the issuer is not valid now."""
        return [self._signed(order, now) for order in orders]

    def _signed(self, order: Order, now: datetime) -> Signed:
        key = None
        public_key = x509.load_der_x509_certificate(order.before).public_key()
        if order.rekey:
            key = generate(algorithm_of(public_key))
            public_key = key.public_key()
        assert isinstance(public_key, PublicKey)  # noqa: S101 - no other kind is ever certified
        request = CertificateRequest(public_key, spki(public_key))
        name, text = self._subject(order)
        uri = f"spiffe://{self._practice.trust_domain}/{order.environment}/{order.client_id}"
        prepared = prepare(
            request,
            self._practice.client,
            self._authority,
            subject=name,
            now=now,
            names=[x509.UniformResourceIdentifier(uri)],
        )
        der = issue(prepared, self._authority).public_bytes(Encoding.DER)
        certificate = Certificate(
            issuer_id=self._issuer_id,
            serial_number=serial_text(prepared.serial_number),
            fingerprint=der_fingerprint(der),
            client_id=order.client_id,
            profile=self._practice.client.name,
            subject=text,
            public_key_id=order.public_key_id if key is None else public_key_id(request.spki),
            not_before=epoch(prepared.not_before),
            not_after=epoch(prepared.not_after),
            status=CertificateStatus.ACTIVE,
            created_at=epoch(now),
            der=der,
            own_csr=order.own_csr,
        )
        return Signed(certificate, der_pem(der), request.spki, None if key is None else seal(key))

    def _subject(self, order: Order) -> tuple[x509.Name, str]:
        """The subject to be, and its text."""
        key = (order.subject, order.environment, order.application)
        known = self._subjects.get(key)
        if known is None:
            if len(self._subjects) >= _REMEMBERED:
                self._subjects.clear()
            name = self._renewed(order)
            known = self._subjects[key] = (name, name.rfc4514_string())
        return known

    def _renewed(self, order: Order) -> x509.Name:
        common_name = _common_name(x509.load_der_x509_certificate(order.before).subject)
        if common_name is None:
            identity = Identity(self._practice.trust_domain, order.environment, order.application, ClientId(""))
            common_name = identity.common_name
        return subject(common_name, self._practice.organization)


def _common_name(name: x509.Name) -> str | None:
    """None when there is none that we would sign (an adopted certificate's)."""
    found = [attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if not found or not isinstance(found[-1], str):
        return None
    try:
        return subject_text(found[-1], "common name")
    except InvalidInput:
        return None
