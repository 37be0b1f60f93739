"""What holds at every moment, however the last step ended."""

from handclasp.authority.publish import trust_bundle
from handclasp.authorizer.decision import Policy, Presented, Registered, decide
from handclasp.pki.keys import open_sealed
from handclasp.pki.naming import der_fingerprint
from handclasp.pki.pem import certificate_pem, first_der, load_certificates
from handclasp.registry.records import Certificate, ClientStatus, IssuerStatus, Standing
from tests.model.ledger import Ledger
from tests.model.oracle import chain_of, has_path, is_valid_at, loaded, may_pass
from tests.model.world import ADMITTED, World


def check_decisions(world: World, ledger: Ledger) -> None:
    """The gateway says of every certificate there ever was what the decision says, and what the oracle says."""
    now, bundle, issuers = int(world.now), world.bundle(), world.seen.issuers()
    standings = {s.certificate.fingerprint: s for s in world.seen.standings()}
    entries, passing = world.gateway._table.entries, world.proxy.lets_in()
    for fingerprint, der in ledger.issued.items():
        path = has_path(der, bundle, issuers, now)
        standing = standings.get(fingerprint)
        decision = decide(_presented(fingerprint, der, path), _registered(standing), Policy(ADMITTED), now)
        expected = standing is not None and may_pass(standing, ADMITTED, path, now)
        assert decision.allow is expected, f"{fingerprint}: {decision}"
        entry = entries.get(fingerprint)
        assert (entry.reason if entry else None) is (decision.reason if standing else None)
        assert (fingerprint in passing) is expected
    assert passing <= ledger.issued.keys()


def check_nobody_is_cut_off(world: World, ledger: Ledger) -> None:
    """What an active client was given last lets it in, unless time alone or an operator has ended that."""
    for summary in world.seen.summaries():
        client = summary.client
        newest = world.newest(client.client_id)
        if newest is None or client.status is not ClientStatus.ACTIVE or client.environment not in ADMITTED:
            continue
        held = {c.fingerprint: c for c in world.seen.certificates(client.client_id)}.get(newest)
        if held is None or held.delivered_at is None or newest in ledger.taken or client.client_id in world.agreed:
            continue
        if not _in_time(world, held):
            continue
        assert world.lets_in(newest), f"{client.client_id} is cut off: {world.gateway._table.entries.get(newest)}"


def check_deliveries(world: World, ledger: Ledger) -> None:
    """What clients hold is a pair, and registered as theirs."""
    for summary in world.seen.summaries():
        name = summary.client.client_id
        files = world.sound.delivery.collect(name)
        if not files:
            continue
        der = first_der(files["client.pem"])
        held = {c.fingerprint: c for c in world.seen.certificates(name)}.get(der_fingerprint(der))
        if held is None:
            assert der_fingerprint(der) in ledger.taken, f"{name} holds what the registry does not know"
            continue
        assert first_der(files["fullchain.pem"]) == der
        if "client.key" in files:
            assert open_sealed(files["client.key"]).public_key() == loaded(der).public_key()
        else:
            assert held.own_csr


def check_keys(world: World) -> None:
    """One key, one client."""
    owners: dict[str, str | None] = {}
    for standing in world.seen.standings():
        made = standing.certificate
        assert owners.setdefault(made.public_key_id, made.client_id) == made.client_id


def check_operations(world: World) -> None:
    """At most one unfinished of a kind, where the issuer and the root count as one."""
    unfinished = world.seen.operations(unfinished=True)
    kinds = ["clients" if each.kind == "rotate-clients" else "issuers" for each in unfinished]
    assert len(kinds) == len(set(kinds))


def check_trust_store(world: World, *, orderly: bool) -> None:
    """Who issues is published, whatever happened; after an orderly end nobody is who does not and will not.

    What is over may be there or not: only the next publication takes it out.
    """
    published, now = set(world.bundle()), int(world.now)
    issuers = [i for i in world.seen.issuers() if is_valid_at(i.der, now)]
    assert {i.der for i in issuers if i.status is IssuerStatus.ACTIVE} <= published
    if orderly:
        trusted = load_certificates(trust_bundle(world.seen))
        assert published <= {first_der(certificate_pem(each)) for each in trusted}
        assert {i.der for i in issuers if i.status is not IssuerStatus.RETIRED} <= published


def _in_time(world: World, held: Certificate) -> bool:
    above = chain_of(held.der, (i.der for i in world.seen.issuers()))
    assert above is not None
    return all(is_valid_at(each, int(world.now)) for each in (held.der, *above))


def _presented(fingerprint: str, der: bytes, path: bool) -> Presented:
    certificate = loaded(der)
    return Presented(
        fingerprint,
        path,
        True,
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
    )


def _registered(standing: Standing | None) -> Registered | None:
    if standing is None:
        return None
    made, owner = standing.certificate, standing.client
    return Registered(made.fingerprint, owner.client_id, owner.environment, made.status.value, owner.status.value)
