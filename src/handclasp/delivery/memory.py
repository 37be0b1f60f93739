"""Delivery in memory: for tests."""

from dataclasses import dataclass

from handclasp.delivery.port import Credential, Staged
from handclasp.delivery.same_key import is_for_same_key, other_keys_place


class MemoryDelivery:
    def __init__(self) -> None:
        self._delivered: dict[str, dict[str, bytes]] = {}

    def deliver(self, credential: Credential) -> str:
        place = credential.client_id
        before = self._delivered.get(place, {})
        if credential.keep_key and before:
            what = f"memory:{place}"
            if not is_for_same_key(before["client.pem"], credential.public_key, what):
                place = f"{place}/{other_keys_place(credential.public_key)}"
                before = self._delivered.get(place, {})
        kept = {name: before[name] for name in credential.kept() if name in before}
        self._delivered[place] = kept | credential.files()
        return f"memory:{place}"

    def stage(self, credential: Credential) -> Staged:
        return _Staged(self, credential)

    def flush(self) -> None:
        pass

    def collect(self, client_id: str) -> dict[str, bytes]:
        return dict(self._delivered.get(client_id, {}))


@dataclass(frozen=True, slots=True)
class _Staged:
    delivery: MemoryDelivery
    credential: Credential

    def commit(self) -> str:
        return self.delivery.deliver(self.credential)
