"""Private keys: sealed, opened, and never printed."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from handclasp.errors import InvalidInput, KeyUnavailable
from handclasp.pki.keys import (
    KeyAlgorithm,
    PrivateKeyPem,
    describe,
    generate,
    holds,
    is_encrypted,
    open_sealed,
    public_key_faults,
    seal,
)
from tests import making

FAST = [a for a in KeyAlgorithm if a is not KeyAlgorithm.RSA4096]
KEY = making.key()


@pytest.mark.parametrize("passphrase", [None, b"open sesame", "pässword ☂".encode(), b"\0\xff"])
@pytest.mark.parametrize("algorithm", FAST)
def test_what_is_sealed_opens_again(algorithm: KeyAlgorithm, passphrase: bytes | None) -> None:
    sealed = seal(making.key(algorithm), passphrase)
    assert is_encrypted(sealed) is (passphrase is not None)
    assert open_sealed(sealed, passphrase).public_key() == making.key(algorithm).public_key()


def test_openssl_opens_what_we_seal_and_sees_aes() -> None:
    sealed = bytes(seal(KEY, b"open sesame"))
    assert making.openssl("pkey", "-noout", "-passin", "pass:open sesame", stdin=sealed).returncode == 0
    assert making.openssl("pkey", "-noout", "-passin", "pass:wrong", stdin=sealed).returncode != 0
    assert b"aes-256-cbc" in making.openssl("asn1parse", stdin=sealed).stdout


@pytest.mark.parametrize("given", [b"wrong", b"open sesame "])
def test_a_wrong_passphrase_opens_nothing(given: bytes) -> None:
    with pytest.raises(KeyUnavailable, match="the passphrase does not open the root key"):
        open_sealed(seal(KEY, b"open sesame"), given, "the root key")


def test_an_encrypted_key_without_a_passphrase_says_so() -> None:
    der = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    for sealed in (bytes(seal(KEY, b"x")), der):
        with pytest.raises(KeyUnavailable, match="is encrypted and no passphrase was given"):
            open_sealed(sealed)


def test_encrypted_der_opens_with_its_passphrase_only() -> None:
    der = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    assert open_sealed(der, b"x").public_key() == KEY.public_key()
    with pytest.raises(InvalidInput) as refused:
        open_sealed(der, b"y")
    assert refused.value.hint == "or the passphrase does not open it"


@pytest.mark.parametrize("passphrase", [None, b"needless"])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_every_form_that_tools_write_is_read(encoding: Encoding, form: PrivateFormat, passphrase: bytes | None) -> None:
    for algorithm in (KeyAlgorithm.P256, KeyAlgorithm.RSA2048):
        written = making.key(algorithm).private_bytes(encoding, form, NoEncryption())
        assert open_sealed(written, passphrase).public_key() == making.key(algorithm).public_key()


def test_openssls_older_encrypted_form_is_read() -> None:
    plain = making.pkcs8(KEY)
    old = making.openssl("ec", "-aes128", "-passout", "pass:x", stdin=plain).stdout
    assert b"Proc-Type: 4,ENCRYPTED" in old
    assert open_sealed(old, b"x").public_key() == KEY.public_key()


@pytest.mark.parametrize("length", [0, 1024])
def test_a_passphrase_that_no_tool_could_use_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput, match=f"the passphrase has {length} bytes; 1 to 1023 can be used"):
        seal(KEY, b"x" * length)
    assert open_sealed(seal(KEY, b"x" * 1023), b"x" * 1023).public_key() == KEY.public_key()


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x30\x03\x02\x01\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
     making.pkcs8(KEY)[:100], making.root().certificate.public_bytes(Encoding.PEM)],
    ids=["empty", "text", "DER of another kind", "PEM of nothing", "truncated", "a certificate"],
)  # fmt: skip
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"is empty|is not a private key"):
        open_sealed(data)


@pytest.mark.parametrize("odd", [dsa.generate_private_key(2048), x25519.X25519PrivateKey.generate()])
def test_keys_we_do_not_sign_with_are_refused(odd: dsa.DSAPrivateKey | x25519.X25519PrivateKey) -> None:
    pem = odd.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InvalidInput, match="not supported; use EC, RSA or Ed25519"):
        open_sealed(pem)


def test_a_key_on_an_unknown_curve_is_refused() -> None:
    made = making.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime239v3").stdout
    with pytest.raises(InvalidInput, match=r"not supported|not a private key"):
        open_sealed(made)


def test_a_sealed_key_cannot_be_printed_by_accident() -> None:
    sealed = seal(KEY)
    for printed in (repr(sealed), str(sealed), f"{sealed}", f"{[sealed]}"):
        assert "BEGIN" not in printed
        assert "hidden" in printed
    assert isinstance(sealed, PrivateKeyPem)
    assert bytes(sealed).startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_sealed_key_knows_its_key() -> None:
    other = making.key(number=8)
    assert holds(seal(KEY), KEY)
    assert holds(seal(KEY, b"x"), KEY, b"x")
    assert not holds(seal(other), KEY)
    assert not holds(seal(KEY, b"x"), KEY)
    assert not holds(seal(KEY), KEY, b"x")
    assert not holds(seal(KEY, b"x"), KEY, b"y")


@pytest.mark.parametrize("algorithm", FAST)
def test_keys_we_make_have_no_faults(algorithm: KeyAlgorithm) -> None:
    assert public_key_faults(generate(algorithm).public_key()) == []


def test_a_weak_or_huge_key_has_faults() -> None:
    exponent_3 = rsa.RSAPublicNumbers(3, (1 << 1023) + 1).public_key()
    assert len(public_key_faults(exponent_3)) == 2
    huge = rsa.RSAPublicNumbers(65537, (1 << 8999) + 1).public_key()
    assert public_key_faults(huge) == ["RSA keys have 2048 to 8192 bits, this one 9000"]
    assert public_key_faults(ec.generate_private_key(ec.SECP521R1()).public_key()) != []
    assert public_key_faults(x25519.X25519PrivateKey.generate().public_key()) == [
        "the key is neither EC, RSA nor Ed25519"
    ]


def test_keys_are_described_in_words() -> None:
    assert describe(making.key(KeyAlgorithm.RSA2048).public_key()) == "RSA-2048"
    assert describe(KEY.public_key()) == "P-256"
    assert describe(ec.generate_private_key(ec.SECP256K1()).public_key()) == "secp256k1"
    assert describe(ed25519.Ed25519PrivateKey.generate().public_key()) == "Ed25519"
