"""What `rotate issuer --dry-run` says: what would happen, to whom, and how long it should take."""

from collections import Counter
from typing import Any

from handclasp.authority.probe import is_reserved
from handclasp.authority.rotation.gateway_evidence import live_gateways
from handclasp.authority.rotation.holders import by_client
from handclasp.authority.rotation.new_issuer import active_root, replaced_intermediates
from handclasp.cli.context import Session
from handclasp.cli.output import show_facts, show_json
from handclasp.registry.records import ClientStatus

#: Certificates per second of one re-issue, deliveries included, on two cores (bench/README.md); half of it, to be safe.
_PER_SECOND = 500
#: On a line for people.
_NAMED = 20


def show_plan(session: Session, kind: str, arguments: dict[str, Any], *, as_json: bool) -> None:
    """Reads only. Raises NotEstablished, KeyUnavailable for what the rotation itself would fail of."""
    registry = session.registry
    top, replaced = active_root(registry), replaced_intermediates(registry)
    counted: Counter[str] = Counter()
    names: dict[str, None] = {}
    for issuer in replaced:
        for held in by_client(registry, issuer.issuer_id):
            client = held[0].client
            if is_reserved(client) or client.status is ClientStatus.REVOKED:
                continue
            names[client.client_id] = None
            counted["certificates"] += len(held)
            counted["own_csr"] += sum(each.certificate.own_csr for each in held)
    live, silent = live_gateways(registry)
    plan = {
        "kind": kind,
        "replaces": [*([top.subject] if kind == "rotate-root" else []), *(i.subject for i in replaced)],
        "clients": list(names),
        "certificates": counted["certificates"],
        "of_clients_with_their_own_csr": counted["own_csr"],
        "keys": "new where they were made here" if arguments["rekey"] else "kept",
        "gateways": [g.gateway_id for g in live],
        "silent_gateways": [g.gateway_id for g in silent],
        "seconds_to_reissue": round(counted["certificates"] / _PER_SECOND + 1),
        "then_waits": "for nobody" if arguments["emergency"] else f"{arguments['idle_for']} s without old certificates",
        "at_most_seconds": 0 if arguments["emergency"] else arguments["deadline"],
    }
    if as_json:
        show_json(plan)
    else:
        show_facts((name.replace("_", " "), _text(value)) for name, value in plan.items())


def _text(value: object) -> object:
    if not isinstance(value, list):
        return value
    more = f" and {len(value) - _NAMED} more (--json names all)" if len(value) > _NAMED else ""
    return (", ".join(value[:_NAMED]) or "none") + more
