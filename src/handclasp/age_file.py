"""One passphrase, one file: age's format (https://age-encryption.org/v1), which `age -d` opens without us.

The passphrase is stretched by scrypt; the library takes as much work as this machine does in about a second, which is
up to half a gigabyte of memory for that second. It encrypts what is in memory: for passphrases it has no stream.
"""

from typing import Any

from handclasp.errors import ExtraMissing, InvalidInput

_HEADERS = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")


def encrypted(content: bytes, passphrase: bytes) -> bytes:
    """Raises ExtraMissing, InvalidInput for a passphrase that is not UTF-8."""
    made: bytes = _library().passphrase.encrypt(content, _text(passphrase))
    return made


def decrypted(content: bytes, passphrase: bytes, what: str) -> bytes:
    """Raises ExtraMissing, InvalidInput when `what` is no age file, damaged, or sealed with another passphrase."""
    if not content.startswith(_HEADERS):
        raise InvalidInput(f"{what} is not an age file", hint="handclasp backup makes one")
    library = _library()
    try:
        opened: bytes = library.passphrase.decrypt(content, _text(passphrase))
    except library.DecryptError as error:
        if str(error) == "Decryption failed":
            raise InvalidInput(f"{what} does not open: the passphrase is another one") from None
        raise InvalidInput(f"{what} is damaged or cut off, or not sealed with a passphrase") from None
    return opened


def _library() -> Any:
    try:
        import pyrage  # noqa: PLC0415
    except ImportError:
        raise ExtraMissing(
            "backups are encrypted with pyrage, which is not installed", hint='pip install "handclasp[backup]"'
        ) from None
    return pyrage


def _text(passphrase: bytes) -> str:
    try:
        return passphrase.decode()
    except UnicodeDecodeError:
        raise InvalidInput("the passphrase is not UTF-8 text") from None
