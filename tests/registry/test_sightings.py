"""What gateways have seen, in every adapter: counts add up, the latest time stays, strangers share one line."""

import pytest

from handclasp.registry.fleet import Refusals, Sighting
from handclasp.registry.port import Registry
from tests.registry import rows


def _seen(registry: Registry, *sightings: Sighting, refusals: tuple[Refusals, ...] = ()) -> None:
    with registry.change() as change:
        change.add_sightings(sightings, refusals)


def test_counts_add_up_and_the_latest_time_stays(registry: Registry) -> None:
    rows.fill(registry, "acme")
    assert registry.sighting("fingerprint-1") is None
    _seen(registry, Sighting("fingerprint-1", 500, 3), Sighting("fingerprint-1", 400, 2))
    _seen(registry, Sighting("fingerprint-1", 450, 1))
    assert registry.sighting("fingerprint-1") == Sighting("fingerprint-1", 500, 6)
    _seen(registry, Sighting("fingerprint-1", 600, 1))
    assert registry.sighting("fingerprint-1") == Sighting("fingerprint-1", 600, 7)


def test_a_certificate_that_is_not_registered_is_left_out(registry: Registry) -> None:
    rows.fill(registry, "acme")
    _seen(registry, Sighting("stranger", 500, 3), Sighting("fingerprint-1", 500, 1))
    assert registry.sighting("stranger") is None
    assert registry.sighting("fingerprint-1") is not None


def test_refusals_are_counted_by_certificate_and_reason_and_strangers_together(registry: Registry) -> None:
    """Whoever sends a thousand made-up certificates fills one line, not a thousand."""
    rows.fill(registry, "acme")
    _seen(
        registry, refusals=(Refusals("fingerprint-1", "revoked", 2, 500), Refusals("fingerprint-1", "expired", 1, 700))
    )
    _seen(registry, refusals=tuple(Refusals(f"stranger-{n}", "not_registered", 1, 600 - n) for n in range(5)))
    _seen(registry, refusals=(Refusals("fingerprint-1", "revoked", 3, 400), Refusals("", "not_registered", 2, 100)))
    assert registry.refusals() == [
        Refusals("fingerprint-1", "expired", 1, 700),
        Refusals("", "not_registered", 7, 600),
        Refusals("fingerprint-1", "revoked", 5, 500),
    ]


def test_summaries_say_when_a_client_was_last_let_in_by_any_of_its_certificates(registry: Registry) -> None:
    rows.fill(registry, "acme", "Beta", "silent")
    with registry.change() as change:
        change.add_certificate(rows.certificate(9, "beta"))
        change.add_certificate(rows.certificate(10, None))
    _seen(
        registry,
        Sighting("fingerprint-1", 500, 3),
        Sighting("fingerprint-2", 900, 1),
        Sighting("fingerprint-9", 800, 4),
        Sighting("fingerprint-10", 999, 1),
    )
    found = {each.client.client_id: (each.last_seen_at, each.requests) for each in registry.summaries()}
    assert found == {"acme": (500, 3), "Beta": (900, 5), "silent": (None, 0)}


def test_no_sighting_alters_a_decision(registry: Registry) -> None:
    rows.fill(registry, "acme")
    _seen(registry, Sighting("fingerprint-1", 500, 3), refusals=(Refusals("", "expired", 1, 1),))
    assert registry.revision() == 1


def test_a_batch_that_fails_counts_nothing(registry: Registry) -> None:
    """The gateway sends it again: it must not count twice."""
    rows.fill(registry, "acme")
    with pytest.raises(ValueError, match="cut off"), registry.change() as change:  # noqa: PT012 - the block is the transaction
        change.add_sightings([Sighting("fingerprint-1", 500, 3)], [Refusals("", "expired", 1, 1)])
        raise ValueError("cut off")
    assert registry.sighting("fingerprint-1") is None
    assert registry.refusals() == []
