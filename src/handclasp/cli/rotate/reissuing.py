"""The re-issue of everything an issuer signed, wired for this session."""

from functools import partial

from handclasp import bootstrap
from handclasp.authority.rotation.reissue import Reissue
from handclasp.cli.context import Session


def reissue_of_issuer(session: Session, issuer_id: str, deadline: int, *, rekey: bool) -> list[Reissue]:
    """What replaces one issuer's certificates, to be superseded at `deadline` at the latest.

    With `rekey` there are two: a client that brought its own CSR keeps its key, which we never had.
    """

    def work(*, rekey: bool, own_csr: bool | None) -> Reissue:
        return Reissue(
            issuer_id=issuer_id,
            rekey=rekey,
            select=lambda held: own_csr in {None, held.certificate.own_csr},
            supersede_at=lambda _: deadline,
            open_custody=partial(bootstrap.open_custody, session.settings),
            delivery=session.delivery,
            practice=session.practice,
        )

    if not rekey:
        return [work(rekey=False, own_csr=None)]
    return [work(rekey=True, own_csr=False), work(rekey=False, own_csr=True)]
