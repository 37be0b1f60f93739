"""A backup that is older than a rotation of the issuer, over the registry that knows of it."""

import pytest

from handclasp.authority.rotation.new_issuer import new_intermediate
from handclasp.errors import InvalidInput
from handclasp.pki.extensions import NO_URLS
from handclasp.registry.records import IssuerStatus
from tests.authority.conftest import PASSPHRASE, Authority
from tests.backup.conftest import bring_back, taken


def test_a_backup_from_before_a_rotation_of_the_issuer_is_refused(original: Authority) -> None:
    """Its issuer is retired for good, and the one that signs now is not in it: nothing would issue any more."""
    archive = taken(original)
    made = new_intermediate(
        original.registry, original.custody, lambda: PASSPHRASE, NO_URLS, days=None, now=original.now
    )
    with original.registry.change() as change:
        for issuer in made.made:
            change.add_issuer(issuer)
            change.set_issuer_status(issuer.issuer_id, IssuerStatus.ACTIVE)
        for issuer in made.replaced:
            change.set_issuer_status(issuer.issuer_id, IssuerStatus.RETIRED)
    before = list(original.registry.snapshot())
    with pytest.raises(InvalidInput, match="every issuer that signs in this backup was retired"):
        bring_back(archive, original)
    assert list(original.registry.snapshot()) == before
