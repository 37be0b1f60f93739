"""Issue clients' certificates again: rotation of clients, and of the issuer above them.

A page of clients at a time: sign in memory; commit the rows, so that no certificate leaves that the registry does not
know; wait until the gateways serve them, so that none leaves that would be refused; put the files where they will be,
which takes the longest and holds no lock; then, in one transaction, switch the files over, note the delivery, and
record how far it has come. The certificate before stays valid: it is superseded when its client has been seen with
the new one (see `supersede`).

Killed anywhere, the next run knows from the operation's state which certificates were committed and not noted as
delivered. One that keeps its key is delivered now. One with a new key was delivered if its files are there; if they
are not, its key died with the process, so nobody can have it: it is superseded, and the client issued another.

One client's delivery that fails stops nobody else's. It stays in that list, and the step fails when all others are
done; the run that takes it up tries those again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice

from cryptography import x509

from handclasp.authority.issuers import signing_issuer
from handclasp.authority.operations.operation import Run
from handclasp.authority.practice import Practice
from handclasp.authority.rotation.bulk_signing import Signed
from handclasp.authority.rotation.gateway_evidence import behind, wait_until_served
from handclasp.authority.rotation.reissue_choice import Choice, Renewal, choose
from handclasp.authority.rotation.reissue_unfinished import Unfinished, read_noted, unfinished
from handclasp.authority.rotation.reissue_writing import Committed, Issue, Writer
from handclasp.authority.rotation.replacement import is_replaced
from handclasp.authority.rotation.signing_pool import OpenCustody, Sign, bulk_signing
from handclasp.delivery.port import Delivery
from handclasp.pki.keys import spki
from handclasp.pki.pem import der_pem
from handclasp.registry.records import Certificate, Holding

#: Clients read, signed and committed at once: a transaction each would cost more than the signature, and a revocation
#: waits for one of ours.
PAGE = 250
#: Pages signed ahead of the writer.
_AHEAD = 4
#: Pages that may wait for gateways, which take about a second to say that they serve one.
_WAITING = 3


@dataclass(frozen=True, slots=True)
class Reissue:
    """What to issue again: the certificates of one issuer (None: of all) that `select` chooses, under new keys or not.

    `supersede_at` gets the registry's time and tells when what is replaced may be superseded. With `once` a walk that
    came to its end is not begun again by the same operation. `workers` is the number of signing processes; None
    chooses.
    """

    issuer_id: str | None
    rekey: bool
    select: Callable[[Holding], bool]
    supersede_at: Callable[[int], int]
    open_custody: OpenCustody
    delivery: Delivery
    practice: Practice
    once: bool = False
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    """Some clients, being signed. `revision` is the registry's when they were read, less our own commits by then."""

    revision: int
    clients: int
    last: str
    renewals: tuple[Renewal, ...]
    signed: Callable[[], list[Issue]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A page whose certificates are known to the registry, until every gateway serves revision `served_from`."""

    page: _Page
    committed: Committed
    served_from: int


@dataclass
class _Walk:
    """How far this run has come: `done` clients, and the pages between commit and delivery."""

    run: Run
    writer: Writer
    total: int
    done: int
    waiting: "deque[_Waiting]" = field(default_factory=deque)

    def commit(self, page: _Page, issues: list[Issue]) -> None:
        committed = self.writer.commit(issues, page.revision)
        self.waiting.append(_Waiting(page, committed, self.run.registry.revision()))

    def deliver(self) -> None:
        """The first of those that wait. Nobody is given a certificate that a gateway would refuse."""
        first = self.waiting[0]
        wait_until_served(self.run, first.served_from)
        self.waiting.popleft()
        self.done += first.page.clients
        self.writer.deliver(first.committed, cursor=first.page.last, done=self.done)
        self.run.progress(min(self.done, self.total), self.total)


def reissue(run: Run, work: Reissue) -> None:
    """The step. Its cursor is the name of the last client that is done with.

    Raises DeliveryFailed at the end when some could not be delivered, SigningFailed, KeyUnavailable, Interrupted.
    """
    signing = signing_issuer(run.registry, work.open_custody(), work.practice.urls)
    total = run.registry.holders(issuer_id=work.issuer_id)
    left = 0 if work.once and run.state.get("walked") else total
    entries = read_noted(run.state.get("undelivered", {}))
    writer = Writer(run, work.delivery, signing, work.supersede_at, entries)
    with bulk_signing(signing, work.open_custody, work.practice, certificates=left, workers=work.workers) as sign:
        found = list(unfinished(entries, run.registry, work.delivery, signing.record.issuer_id))
        _take_up(run, writer, sign, found)
        if left:
            _walk(run, work, writer, sign, total)
        writer.finish_delivery()
    run.remember(cursor="", walked=True)
    writer.finish()


def _take_up(run: Run, writer: Writer, sign: Sign, found: list[Unfinished]) -> None:
    """What a run before this one has committed and not noted as delivered."""
    if found and not run.state.get("walked"):
        # Their clients are done with, here: the walk goes on behind them.
        names = [run.operation.cursor or "", *(each.renewal.client.client_id for each in found)]
        run.remember(cursor=max(names, key=str.lower))
    for each in found:
        run.check()
        if each.is_lost:
            revision = writer.revision()
            [signed] = sign([each.renewal.order()], _now(run))()
            committed = writer.commit([Issue(each.renewal, signed, lost=each.made)], revision)
        else:
            committed = Committed([Issue(each.renewal, _known(each.made))])
        wait_until_served(run, run.registry.revision())
        writer.deliver(committed)
    if found:
        # Noted, or the walk would issue them again.
        writer.finish_delivery()


def _known(made: Certificate) -> Signed:
    public_key = x509.load_der_x509_certificate(made.der).public_key()
    return Signed(made, der_pem(made.der), spki(public_key), None)


def _walk(run: Run, work: Reissue, writer: Writer, sign: Sign, total: int) -> None:
    walk = _Walk(run, writer, total, int(run.state.get("done", 0)) if run.operation.cursor else 0)
    pages = _pages(run, work, writer, sign)
    ahead = deque(islice(pages, _AHEAD))
    while ahead:
        run.check()
        page = ahead.popleft()
        signed = page.signed()
        ahead.extend(islice(pages, 1))
        walk.commit(page, signed)
        while walk.waiting and (len(walk.waiting) > _WAITING or not behind(run.registry, walk.waiting[0].served_from)):
            walk.deliver()
    while walk.waiting:
        walk.deliver()


def _pages(run: Run, work: Reissue, writer: Writer, sign: Sign) -> Iterator[_Page]:
    after = run.operation.cursor or ""
    while True:
        revision = writer.revision()
        held = run.registry.holdings(issuer_id=work.issuer_id, after=after, clients=PAGE)
        if not held:
            return
        after = held[-1].client.client_id
        now = run.registry.now()
        groups = [list(group) for _, group in groupby(held, key=lambda h: h.client.client_id)]
        renewals: list[Renewal] = []
        for group in groups:
            choice = _choice(run, work, group, now)
            renewals.extend(choice.renewals)
            for each in choice.own_key:
                _tell_own_key(run, each)
        yield _page(run, sign, revision, len(groups), after, tuple(renewals))


def _page(run: Run, sign: Sign, revision: int, clients: int, last: str, renewals: tuple[Renewal, ...]) -> _Page:
    wait = sign([each.order() for each in renewals], _now(run)) if renewals else list
    return _Page(revision, clients, last, renewals, lambda: _issues(renewals, wait()))


def _choice(run: Run, work: Reissue, held: list[Holding], now: int) -> Choice:
    return choose(
        held,
        rekey=work.rekey,
        select=work.select,
        is_replaced=lambda certificate: is_replaced(run.registry, certificate, held),
        now=now,
    )


def _tell_own_key(run: Run, holding: Holding) -> None:
    name = holding.client.client_id
    run.tell(
        f"client {name} made its own key: its renewal is due, and only it can make a new one "
        f"(handclasp client renew {name} --csr FILE)",
        client=name,
        renewal_due=True,
    )


def _issues(renewals: Iterable[Renewal], signed: Iterable[Signed]) -> list[Issue]:
    return [Issue(renewal, each) for renewal, each in zip(renewals, signed, strict=True)]


def _now(run: Run) -> datetime:
    """The registry's clock: a machine whose own is wrong issues nothing that is not valid yet."""
    return datetime.fromtimestamp(run.registry.now(), UTC)
