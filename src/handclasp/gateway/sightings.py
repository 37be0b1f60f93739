"""Lines of the access log -> who was let in how often and when last, and who was refused why.

Pure: lines go in, counts come out. Whatever a line holds may have been chosen by a stranger: what is not as the
gateway writes it is not counted, or under "error" when it is a refusal all the same.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from handclasp.authorizer.decision import Reason
from handclasp.gateway.proxy import REGISTRY_UNAVAILABLE
from handclasp.registry.fleet import Refusals, Sighting

#: What the log may give as the reason of a refusal; see docs/decision-reasons.md.
HANDSHAKE = "handshake"
_REASONS = {reason.value for reason in Reason} - {Reason.ALLOWED.value} | {HANDSHAKE, REGISTRY_UNAVAILABLE}
#: Refusals whose certificate, if there was one, is not ours: a stranger may bring another one each time.
_STRANGERS = {Reason.NO_CERTIFICATE.value, Reason.UNREGISTERED.value, HANDSHAKE}
#: Of the others, so many certificates are told apart until they are told; a flood of more is counted as strangers'.
MAX_REFUSED = 10_000
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass
class Tally:
    """Counts and latest times by the gateway's own clock, seconds since 1970."""

    allowed: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.allowed or self.refused)

    def add(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._add(line)

    def sightings(self, gateway_now: int, registry_now: int) -> list[Sighting]:
        """By the registry's clock: as long ago as it was by ours, and never in the future."""
        return [
            Sighting(fingerprint, _told(latest, gateway_now, registry_now), count)
            for fingerprint, (count, latest) in self.allowed.items()
        ]

    def refusals(self, gateway_now: int, registry_now: int) -> list[Refusals]:
        return [
            Refusals(fingerprint, reason, count, _told(latest, gateway_now, registry_now))
            for (fingerprint, reason), (count, latest) in self.refused.items()
        ]

    def _add(self, line: bytes) -> None:
        try:
            # A path may hold octets that are no UTF-8: they are nobody's name.
            written = json.loads(line.decode("utf-8", "replace"))
            at = int(datetime.fromisoformat(written["time"]).timestamp())
            decision = written["decision"]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return
        found = written.get("fingerprint")
        fingerprint = found if isinstance(found, str) and _FINGERPRINT.fullmatch(found) else ""
        if decision == "allow" and fingerprint:
            self.allowed[fingerprint] = _counted(self.allowed.get(fingerprint), at)
        elif decision == "deny":
            key = self._refusal(fingerprint, written.get("reason"))
            self.refused[key] = _counted(self.refused.get(key), at)

    def _refusal(self, fingerprint: str, reason: object) -> tuple[str, str]:
        known = reason if isinstance(reason, str) and reason in _REASONS else Reason.ERROR.value
        key = ("" if known in _STRANGERS else fingerprint, known)
        return key if key in self.refused or len(self.refused) < MAX_REFUSED else ("", known)


def _counted(before: tuple[int, int] | None, at: int) -> tuple[int, int]:
    count, latest = before or (0, at)
    return count + 1, max(latest, at)


def _told(latest: int, gateway_now: int, registry_now: int) -> int:
    return max(0, registry_now - max(0, gateway_now - latest))
