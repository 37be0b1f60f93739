"""When the audit trail's head is to be signed: asked after each command that changed something, so it costs next to
nothing, and imports no cryptography."""

from handclasp.registry.port import Registry


def is_due(registry: Registry, every: int) -> bool:
    """True if nothing was signed yet, or `every` entries have come since: two look-ups by primary key."""
    head = registry.last_audit()
    if head is None:
        return False
    last = registry.last_checkpoint()
    return last is None or head.sequence - last.sequence >= every
