"""When a certificate is due: a part of its lifetime, with a jitter of its own that stays."""

from dataclasses import replace
from hashlib import sha256
from statistics import mean

from hypothesis import assume, given
from hypothesis import strategies as st

from handclasp.authority.rotation.due import due_at, is_due
from handclasp.settings import RotationSettings
from tests.registry.rows import certificate

DAY = 86_400

rotations = st.builds(RotationSettings, due_percent=st.integers(1, 100), jitter_percent=st.integers(1, 50))
lives = st.tuples(st.integers(0, 2**33), st.integers(1, 3_650 * DAY)).map(lambda p: (p[0], p[0] + p[1]))
fingerprints = st.binary(min_size=1, max_size=8).map(lambda b: sha256(b).hexdigest())


@given(lives, fingerprints, rotations)
def test_it_lies_within_the_jitter_of_the_percentage_and_never_after_the_end(
    life: tuple[int, int], fingerprint: str, rotation: RotationSettings
) -> None:
    start, end = life
    share = (due_at(start, end, fingerprint, rotation) - start) / (end - start) * 100
    slack = 100 / (end - start)
    assert share >= rotation.due_percent - rotation.jitter_percent - slack
    assert share <= min(100, rotation.due_percent + rotation.jitter_percent + slack)


@given(lives, fingerprints, rotations, st.integers(0, 2**34))
def test_due_is_from_that_moment_on(
    life: tuple[int, int], fingerprint: str, rotation: RotationSettings, now: int
) -> None:
    held = replace(certificate(1), not_before=life[0], not_after=life[1], fingerprint=fingerprint)
    assert is_due(held, now, rotation) == (now >= due_at(*life, fingerprint, rotation))


@given(lives, rotations)
def test_without_a_fingerprint_there_is_no_jitter(life: tuple[int, int], rotation: RotationSettings) -> None:
    assume(life[1] - life[0] > 1_000)
    share = (due_at(*life, "", rotation) - life[0]) / (life[1] - life[0]) * 100
    assert abs(share - rotation.due_percent) < 0.2


def test_certificates_made_at_once_are_not_due_at_once() -> None:
    rotation = RotationSettings(due_percent=66, jitter_percent=5)
    moments = [due_at(0, 90 * DAY, sha256(b"%d" % n).hexdigest(), rotation) / (90 * DAY) for n in range(2_000)]
    assert 0.655 < mean(moments) < 0.665
    tenths = {int((moment - 0.61) * 100) for moment in moments}
    assert tenths == set(range(10)), "every part of the span has its share"


def test_rate_90_days_on_365_day_certificates_renews_in_time() -> None:
    """The how-to's schedule: looked at every 90 days, a certificate of a year is never found expired."""
    rotation = RotationSettings()
    life = 365 * DAY
    for number in range(200):
        at = due_at(0, life, sha256(b"%d" % number).hexdigest(), rotation)
        for offset in range(0, 90, 7):
            looks = [day * DAY for day in range(offset, 500, 90)]
            assert next(look for look in looks if look >= at) < life


def test_a_certificate_of_a_day_is_renewed_hours_before_its_end() -> None:
    at = due_at(0, DAY, sha256(b"x").hexdigest(), RotationSettings())
    assert 0.6 * DAY < at < 0.72 * DAY
