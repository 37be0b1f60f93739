"""Who holds active certificates: client by client, one page of them in memory however many there are."""

from collections.abc import Iterator
from itertools import groupby

from handclasp.registry.port import Reader
from handclasp.registry.records import Holding

_PAGE = 500


def by_client(registry: Reader, issuer_id: str | None = None) -> Iterator[list[Holding]]:
    """For each client by name what it holds (of one issuer), oldest first. The registry may change meanwhile."""
    after = ""
    while page := registry.holdings(issuer_id=issuer_id, after=after, clients=_PAGE):
        after = page[-1].client.client_id
        for _, held in groupby(page, key=lambda holding: holding.client.client_id):
            yield list(held)
