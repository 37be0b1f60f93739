"""When a certificate is due for another: pure, and the same answer on every machine.

Due is a part of the lifetime and no number of days, so that certificates of a year and of a day are both replaced in
time. The jitter comes from the certificate's own fingerprint: ten thousand certificates made in one minute do not
all become due in one minute, and each keeps its moment however often it is asked.
"""

from typing import Protocol
from zlib import crc32

from handclasp.registry.records import Certificate


class Rotation(Protocol):
    """What decides it: `settings.rotation` has both, in percent of a lifetime."""

    @property
    def due_percent(self) -> int: ...

    @property
    def jitter_percent(self) -> int: ...


def is_due(certificate: Certificate, now: int, rotation: Rotation) -> bool:
    """True from `due_at` on. `now` is the registry's time."""
    return now >= due_at(certificate.not_before, certificate.not_after, certificate.fingerprint, rotation)


def due_at(not_before: int, not_after: int, fingerprint: str, rotation: Rotation) -> int:
    """Seconds since 1970: when `due_percent` of the lifetime is over, up to `jitter_percent` of it sooner or later.

    Never after the end. Without a fingerprint there is no jitter.
    """
    life = max(0, not_after - not_before)
    # A number from -1 to 1 that stays: a checksum of a SHA-256 is as good as random.
    share = 2 * crc32(fingerprint.encode()) / 0xFFFF_FFFF - 1 if fingerprint else 0.0
    moment = not_before + life * (rotation.due_percent + rotation.jitter_percent * share) / 100
    return min(int(moment), not_after)
