"""The client's certificate and key, lent to OpenSSL for the length of one call.

Python's `ssl` takes them from a file only. On Linux that file is an anonymous one in memory; elsewhere it is a
0600 file in a 0700 folder, gone before the handshake begins.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from handclasp.pki.keys import PrivateKey, seal
from handclasp.pki.pem import certificate_pem

#: OpenSSL's security level 0 lets everything pass: to look at a handshake that real clients cannot make.
ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key and the chain it is presented with, end entity first."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Raises ssl.SSLError when OpenSSL does not take them."""
        with _lent(certificate_pem(*self.chain) + seal(self.key)) as path:
            # The key is in the clear by now; a callable makes sure that OpenSSL never asks the terminal.
            context.load_cert_chain(path, password=lambda: b"")


def refusal(credential: Credential, ciphers: str | None = None) -> str | None:
    """OpenSSL's reason for not loading the credential, such as EE_KEY_TOO_SMALL; None when it loads."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    try:
        credential.load_into(context)
    except ssl.SSLError as error:
        return error.reason or "unknown reason"
    return None


@contextmanager
def _lent(secret: bytes) -> Iterator[str]:
    descriptor = _memory_file()
    if descriptor is None:
        with tempfile.TemporaryDirectory(prefix="handclasp-") as folder:  # 0700
            path = Path(folder, "credential.pem")
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secret)
            yield str(path)
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _memory_file() -> int | None:
    if not hasattr(os, "memfd_create") or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.memfd_create("handclasp", os.MFD_CLOEXEC)
    except OSError:  # a seccomp filter may forbid it
        return None
