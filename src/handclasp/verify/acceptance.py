"""The acceptance tests: who must be let in and who must not, as one table, against any endpoint.

The server comes first: unless --cacert verifies it, nothing else is sent. Then the valid credential, because a
refusal means something only where the right one is accepted; then everybody who must be refused. Checks that need
our own CA are skipped, visibly, where it is not at hand.
"""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from handclasp.authority.probe import ProbeKind, issue_probe
from handclasp.errors import HandclaspError
from handclasp.verify import own_authority, rogue
from handclasp.verify.attempt import Kind, Outcome, attempt
from handclasp.verify.bypass import bypass
from handclasp.verify.credential import Credential
from handclasp.verify.endpoint import Endpoint, Offer
from handclasp.verify.own_authority import OwnAuthority, presentable
from handclasp.verify.result import Judgement, Result, Verdict, failed, passed, skipped
from handclasp.verify.revocation import revocation
from handclasp.verify.spoofing import spoofing

_ACCEPTED = "accepted"
_REFUSED = "refused"
#: The check that gives every refusal after it its meaning.
_VALID = "valid"


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the checks work with. `own_missing` says why there is no CA to issue probes from."""

    endpoint: Endpoint
    own: OwnAuthority | None
    own_missing: str | None
    now: Callable[[], datetime]


_Run = Callable[[_Bench], Judgement]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    title: str
    expected: str
    run: _Run


def run_acceptance(endpoint: Endpoint, own_ca: OwnAuthority | None, now: Callable[[], datetime]) -> list[Result]:
    """Every check, in the table's order. Raises nothing for what the endpoint does."""
    return list(acceptance(endpoint, own_ca, now))


def acceptance(endpoint: Endpoint, own_ca: OwnAuthority | None, now: Callable[[], datetime]) -> Iterator[Result]:
    """The same, each result as it comes."""
    server, stop = _server(endpoint)
    yield _result(_SERVER, server)
    bench = _Bench(endpoint, own_ca, stop or own_authority.why_not(own_ca, endpoint), now)
    valid_accepted = False
    for check in CHECKS:
        judgement = skipped(stop) if stop else check.run(bench)
        if check.name == _VALID:
            valid_accepted = judgement.verdict is Verdict.PASSED
        elif check.expected == _REFUSED and judgement.verdict is Verdict.PASSED and not valid_accepted:
            judgement = skipped(f"{judgement.seen}; the valid certificate is refused too, so it shows nothing")
        yield _result(check, judgement)


def _server(endpoint: Endpoint) -> tuple[Judgement, str | None]:
    """Is it the server that --cacert vouches for? And why to stop, if it is not or nobody answers."""
    outcome = attempt(endpoint, endpoint.credential)
    if outcome.shaken:
        return passed(f"verified for {endpoint.target.host} ({outcome.version})"), None
    if outcome.refused:
        return skipped(f"{outcome.words}: the handshake did not come to that"), None
    return failed(outcome.words), "not run: there is no verified server to test"


def _accepted(offer: Offer) -> _Run:
    """The given credential is let in, under this offer; a version the server does not speak is skipped."""

    def run(bench: _Bench) -> Judgement:
        outcome = attempt(bench.endpoint, bench.endpoint.credential, offer=offer)
        if outcome.accepted:
            return passed(outcome.words)
        if offer.version and outcome.kind is Kind.ALERT and outcome.detail == "protocol_version":
            return skipped(f"the server does not offer it: {outcome.words}")
        return skipped(outcome.words) if outcome.kind is Kind.NOT_OFFERED else failed(outcome.words)

    return run


def _refused(present: Callable[[_Bench], Credential | None]) -> _Run:
    """What is presented is refused, in whatever way."""

    def run(bench: _Bench) -> Judgement:
        return _refusal(attempt(bench.endpoint, present(bench)))

    return run


def _refusal(outcome: Outcome) -> Judgement:
    if outcome.kind is Kind.NOT_OFFERED:
        return skipped(outcome.words)
    if outcome.refused:
        return passed(outcome.words)
    return failed(f"LET IN: {outcome.words}" if outcome.kind is Kind.ANSWERED else outcome.words)


def _probe(kind: ProbeKind) -> _Run:
    """A certificate of our own CA with that fault is refused."""

    def run(bench: _Bench) -> Judgement:
        own = bench.own
        if own is None or bench.own_missing:
            return skipped(bench.own_missing or "")
        try:
            probe = issue_probe(
                kind,
                registry=own.registry,
                custody=own.custody,
                practice=own.practice,
                actor=own.actor,
                now=bench.now(),
            )
        except HandclaspError as error:
            return skipped(f"no such probe could be issued: {error}")
        return _refusal(attempt(bench.endpoint, presentable(probe)))

    return run


def _revoked(bench: _Bench) -> Judgement:
    if bench.own is None or bench.own_missing:
        return skipped(bench.own_missing or "")
    return revocation(bench.endpoint, bench.own, bench.now)


def _obsolete(version: ssl.TLSVersion) -> _Run:
    """The handshake itself fails. The valid credential is presented, so that only the version can be the reason."""

    def run(bench: _Bench) -> Judgement:
        outcome = attempt(bench.endpoint, bench.endpoint.credential, offer=Offer(version))
        if outcome.shaken:
            return failed(f"the server speaks it: {outcome.words}")
        if outcome.kind in {Kind.NOT_OFFERED, Kind.TLS_FAILED}:
            return skipped(outcome.words)
        return passed(outcome.words) if outcome.refused else failed(outcome.words)

    return run


def _no_certificate(_: _Bench) -> None:
    return None


def _rogue(make: Callable[[Credential, datetime], Credential]) -> _Run:
    return _refused(lambda bench: make(bench.endpoint.credential, bench.now()))


_SERVER = Check("server", "server certificate", "verified by --cacert", lambda bench: _server(bench.endpoint)[0])

#: In the order they run in.
CHECKS = (
    Check(_VALID, "valid certificate", _ACCEPTED, _accepted(Offer())),
    Check("valid_http_1_1", "valid, HTTP/1.1 by ALPN", _ACCEPTED, _accepted(Offer(protocols=("http/1.1",)))),
    Check("valid_tls_1_2", "valid, TLS 1.2", _ACCEPTED, _accepted(Offer(ssl.TLSVersion.TLSv1_2))),
    Check("valid_tls_1_3", "valid, TLS 1.3", _ACCEPTED, _accepted(Offer(ssl.TLSVersion.TLSv1_3))),
    Check("no_certificate", "no certificate", _REFUSED, _refused(_no_certificate)),
    Check("self_signed", "self-signed, client's name", _REFUSED, _rogue(rogue.self_signed_rogue)),
    Check("rogue_ca", "rogue CA, our CA's name", _REFUSED, _rogue(rogue.rogue_client)),
    Check("impostor", "rogue CA, client's certificate copied", _REFUSED, _rogue(rogue.impostor)),
    Check("expired", "expired", _REFUSED, _probe(ProbeKind.EXPIRED)),
    Check("not_yet_valid", "not yet valid", _REFUSED, _probe(ProbeKind.NOT_YET_VALID)),
    Check("server_auth_only", "serverAuth only", _REFUSED, _probe(ProbeKind.SERVER_AUTH_ONLY)),
    Check("unregistered", "valid path, unregistered", _REFUSED, _probe(ProbeKind.UNREGISTERED)),
    Check("revoked", "revoked", "accepted, then refused within 1 s", _revoked),
    Check("tls_1_0", "TLS 1.0", _REFUSED, _obsolete(ssl.TLSVersion.TLSv1)),
    Check("tls_1_1", "TLS 1.1", _REFUSED, _obsolete(ssl.TLSVersion.TLSv1_1)),
    Check("spoofed_headers", "spoofed identity headers", "none reach the service", lambda b: spoofing(b.endpoint)),
    Check("bypass", "way around the gateway", "closed", lambda b: bypass(b.endpoint)),
)


def _result(check: Check, judgement: Judgement) -> Result:
    return Result(check.name, check.title, check.expected, judgement.seen, judgement.verdict, judgement.milliseconds)
