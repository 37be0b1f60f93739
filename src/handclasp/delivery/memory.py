"""Delivery in memory: for tests."""

from handclasp.delivery.port import Credential


class MemoryDelivery:
    def __init__(self) -> None:
        self._delivered: dict[str, dict[str, bytes]] = {}

    def deliver(self, credential: Credential) -> str:
        self._delivered[credential.client_id] = credential.files()
        return f"memory:{credential.client_id}"

    def collect(self, client_id: str) -> dict[str, bytes]:
        return dict(self._delivered.get(client_id, {}))
