"""Evidence from the gateways: a canary certificate makes a request through each before anything depends on it.

A gateway that reports is waited for; one that has gone silent is named and not waited for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from handclasp.authority.issuers import signing_by
from handclasp.authority.operations.operation import Run
from handclasp.authority.practice import Practice
from handclasp.authority.probe import VERIFY_ENVIRONMENT, Probe, issue_revocable
from handclasp.custody.port import Custody
from handclasp.errors import GatewayFailed
from handclasp.registry.fleet import Gateway
from handclasp.registry.port import Reader

#: Three reports missed: it is not only slow.
SILENT_SECONDS = 15.0
_AGAIN_SECONDS = 0.2
_SOON_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a canary's request came to: let in or not, and in words."""

    let_in: bool
    words: str


#: Makes one request with the probe's certificate through that gateway.
Ask = Callable[[Gateway, Probe], Answer]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How gateways are asked, and how long one that lives may take to do what it should (seconds)."""

    custody: Custody
    practice: Practice
    ask: Ask
    patience: float = 60.0


def live_gateways(registry: Reader) -> tuple[list[Gateway], list[Gateway]]:
    """Those that report, and those that have gone silent."""
    known = registry.gateways()
    silent = [g for g in known if g.silent_for > SILENT_SECONDS]
    return [g for g in known if g.silent_for <= SILENT_SECONDS], silent


def issue_canaries(run: Run, evidence: Evidence, issuer_id: str, now: datetime) -> dict[str, Probe]:
    """A certificate of that issuer for each environment some gateway admits, by environment."""
    signing = signing_by(issuer_id, run.registry, evidence.custody, evidence.practice.urls)
    environments = {_environment(gateway) for gateway in run.registry.gateways()}
    return {
        environment: issue_revocable(
            environment,
            registry=run.registry,
            custody=evidence.custody,
            practice=evidence.practice,
            actor=run.actor,
            now=now,
            signing=signing,
        )
        for environment in sorted(environments)
    }


def confirm(run: Run, evidence: Evidence, canaries: dict[str, Probe], *, let_in: bool) -> list[str]:
    """Wait until every live gateway lets the canaries in, or refuses them. Returns the ids of those that did.

    Raises GatewayFailed, naming it, when one that lives does not do so in time.
    """
    waited, confirmed, named = 0.0, set[str](), set[str]()
    while True:
        missing = {}
        for gateway in _live_or_named(run, named):
            canary = canaries.get(_environment(gateway))
            if gateway.gateway_id in confirmed or canary is None:
                continue
            answer = evidence.ask(gateway, canary)
            if answer.let_in is let_in:
                confirmed.add(gateway.gateway_id)
                run.tell(f"gateway {gateway.gateway_id} {'lets the canary in' if let_in else 'refuses the canary'}")
            else:
                missing[gateway.gateway_id] = answer.words
        if not missing:
            return sorted(confirmed)
        if waited >= evidence.patience:
            first, words = min(missing.items())
            wanted = "let a certificate of the new issuer in" if let_in else "refuse the old issuer"
            raise GatewayFailed(
                f"gateway {first} does not {wanted} after {waited:.0f} s: {words}",
                hint="look at `handclasp status`; stop that gateway if it is not to be waited for",
            )
        run.sleep(_AGAIN_SECONDS)
        waited += _AGAIN_SECONDS


def wait_until_served(run: Run, revision: int, *, patience: float = 60.0) -> None:
    """Wait until every live gateway serves that revision of the registry: what it knows may be delivered then.

    Raises GatewayFailed, naming it, when one that lives does not come so far in time.
    """
    waited, named = 0.0, set[str]()
    while late := [g for g in _live_or_named(run, named) if g.revision < revision]:
        if waited >= patience:
            raise GatewayFailed(
                f"gateway {late[0].gateway_id} serves revision {late[0].revision} and not {revision} after "
                f"{waited:.0f} s: nobody is given a certificate that it would refuse",
                hint="look at `handclasp status`; stop that gateway if it is not to be waited for",
            )
        run.sleep(_SOON_SECONDS)
        waited += _SOON_SECONDS


def behind(registry: Reader, revision: int) -> list[Gateway]:
    """The live gateways that do not serve that revision yet."""
    return [gateway for gateway in live_gateways(registry)[0] if gateway.revision < revision]


def _live_or_named(run: Run, named: set[str]) -> list[Gateway]:
    """The live gateways; of each silent one it is told once that it is not waited for."""
    live, silent = live_gateways(run.registry)
    for gateway in silent:
        if gateway.gateway_id not in named:
            run.tell(f"gateway {gateway.gateway_id} is silent for {gateway.silent_for:.0f} s: not waited for")
            named.add(gateway.gateway_id)
    return live


def still_serving_with(registry: Reader, issuer_ids: Iterable[str]) -> list[str]:
    """The live gateways whose own server certificate is of one of these issuers."""
    wanted = set(issuer_ids)
    return [g.gateway_id for g in live_gateways(registry)[0] if g.server_issuer in wanted]


def _environment(gateway: Gateway) -> str:
    return VERIFY_ENVIRONMENT if gateway.environments is None else min(gateway.environments, default=VERIFY_ENVIRONMENT)
