"""One round of the watch: everything that ends or has happened, told to every channel that does not know it yet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handclasp.authority.expiry.ending import Ending
from handclasp.authority.expiry.telling import Occasion, Told, of_endings, tell, unreadable
from handclasp.authority.expiry.threshold import Threshold, parse_thresholds
from handclasp.cli.context import Session
from handclasp.cli.watch_lock import watching_alone
from handclasp.errors import HandclaspError

if TYPE_CHECKING:
    from handclasp.notice.port import Channel
    from handclasp.registry.records import Issuer

#: A CRL of a million entries has half of it.
_MOST_BYTES = 64 * 1_048_576


@dataclass(frozen=True, slots=True)
class Round:
    """`at` is the registry's time; `endings` are what is watched, the soonest first."""

    at: int
    endings: Sequence[Ending]
    thresholds: Sequence[Threshold]
    told: Sequence[Told]

    @property
    def failed(self) -> list[Told]:
        return [told for told in self.told if told.failed is not None]


def watch_once(session: Session, channels: "Sequence[Channel]") -> Round:
    """Raises StateInUse when another watch of this state does not end; what fails to be sent is in the result."""
    thresholds = parse_thresholds(session.settings.watch.thresholds)
    with watching_alone(session.state):
        problems: list[Occasion] = []
        endings = sorted(_endings(session, problems), key=lambda ending: ending.not_after)
        now = session.registry.now()
        occasions = [*problems, *_events(session, now), *of_endings(endings, thresholds, now)]
        return Round(now, endings, thresholds, tell(occasions, channels, session.registry))


def _endings(session: Session, problems: list[Occasion]) -> Iterator[Ending]:
    from handclasp.authority.expiry.expiry import client_endings, issuer_endings  # noqa: PLC0415

    issuers = session.registry.issuers()
    yield from client_endings(session.registry, overlap=int(session.settings.rotation.overlap.total_seconds()))
    yield from issuer_endings(issuers)
    for what, read in _files(session, issuers):
        try:
            yield from read()
        except HandclaspError as error:
            problems.append(unreadable(what, str(error)))
        except OSError as error:
            problems.append(unreadable(what, error.strerror or type(error).__name__))


def _files(session: Session, issuers: "list[Issuer]") -> Iterator[tuple[str, Callable[[], list[Ending]]]]:
    """What is no row of the registry: its name, and what reads it."""
    from handclasp.authority.expiry.expiry import crl_ending, server_ending, truststore_endings  # noqa: PLC0415

    def truststore() -> list[Ending]:
        bundle = session.truststore.read()
        return list(truststore_endings(bundle, issuers)) if bundle else []

    yield f"the trust store {session.truststore.location()}", truststore
    server = session.state / "gateway" / "server.pem"
    if server.exists():
        yield str(server), lambda: [server_ending(_content(server), str(server))]
    for path in sorted(each for each in (session.state / "crl").glob("*") if each.is_file()):
        yield str(path), lambda path=path: [crl_ending(_content(path), str(path))]  # type: ignore[misc]


def _events(session: Session, now: int) -> Iterator[Occasion]:
    from handclasp.authority.expiry import event  # noqa: PLC0415

    rotation = session.settings.rotation
    yield from event.failed_operations(session.registry)
    yield from event.silent_gateways(session.registry)
    yield from event.stragglers(session.registry, settle=int(rotation.settle.total_seconds()))
    yield from event.renewals_due(session.registry, now, rotation)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise HandclaspError(f"it is larger than {_MOST_BYTES:,} bytes")
    return content
