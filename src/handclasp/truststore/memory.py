"""The trust store in memory: for tests."""


class MemoryTruststore:
    def __init__(self) -> None:
        self._bundle: bytes | None = None

    def publish(self, bundle: bytes) -> None:
        self._bundle = bundle

    def read(self) -> bytes | None:
        return self._bundle

    def location(self) -> str:
        return "memory"
