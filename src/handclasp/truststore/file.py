"""The trust store as one file, replaced atomically."""

from pathlib import Path

from handclasp.atomic_file import make_private_folder, write_atomically
from handclasp.errors import TruststoreRejected


class FileTruststore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, bundle: bytes) -> None:
        try:
            if self.read() != bundle:
                make_private_folder(self._path.parent)
                write_atomically(self._path, bundle)
        except OSError as error:
            raise TruststoreRejected(f"trust store {self._path} cannot be written: {error.strerror}") from error

    def read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TruststoreRejected(f"trust store {self._path} cannot be read: {error.strerror}") from error

    def location(self) -> str:
        return str(self._path)
