"""With refusal = "handshake" strangers do not get as far as HTTP; who is ours but may not pass gets the 403."""

import ssl

import pytest

from handclasp.authority.probe import ProbeKind, issue_probe
from handclasp.authority.revoke import revoke_client
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.registry.records import RevocationReason
from tests.gateway.callers import Caller, Closed, Http1
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, now, until
from tests.making import certificate

_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def _rogue(at: Deployment) -> Caller:
    key = generate(KeyAlgorithm.P256)
    made = certificate("friend", of=key, not_after=now().replace(year=2099))
    return at.caller("rogue-strict", (made,), key)


def _probe(at: Deployment, kind: ProbeKind) -> Caller:
    probe = issue_probe(kind, **at.ports)
    return at.caller(f"{kind}-strict", probe.path, probe.key)


@pytest.fixture(scope="module")
def strangers(strict: Guarded) -> dict[str, Caller]:
    at = strict.deployment
    return {
        "nobody": at.nobody,
        "rogue": _rogue(at),
        "expired": _probe(at, ProbeKind.EXPIRED),
        "not yet valid": _probe(at, ProbeKind.NOT_YET_VALID),
        "for servers only": _probe(at, ProbeKind.SERVER_AUTH_ONLY),
    }


@pytest.mark.parametrize("who", ["nobody", "rogue", "expired", "not yet valid", "for servers only"])
@pytest.mark.parametrize("version", _VERSIONS)
def test_a_stranger_is_refused_in_the_handshake(
    version: str, who: str, strict: Guarded, strangers: dict[str, Caller]
) -> None:
    at, caller = strict.deployment, strangers[who]
    context = caller.context("http/1.1", newest=_VERSIONS[version])
    # TLS 1.3: our side of the handshake is over before the gateway has looked at the certificate.
    with pytest.raises(Closed) as refusal, Http1(at.port, caller, context) as connection:
        connection.ask()
    if version == "TLS 1.2":
        assert "alert" in str(refusal.value).lower()


def test_a_refused_handshake_is_logged_with_its_cause(strict: Guarded, strangers: dict[str, Caller]) -> None:
    at = strict.deployment
    with pytest.raises(Closed), at.http1(strangers["nobody"]) as connection:
        connection.ask()

    def refused() -> list[str]:
        return [line["details"] for line in at.log() if (line["decision"], line["reason"]) == ("deny", "handshake")]

    until(lambda: any("PEER_DID_NOT_RETURN_A_CERTIFICATE" in cause for cause in refused()), "logged")


def test_who_has_a_valid_path_and_may_not_pass_gets_the_403(strict: Guarded) -> None:
    at = strict.deployment
    path, key = at.issue("unlisted")
    assert at.status(at.caller("unlisted", path, key)) == 403

    revoked = at.enrol("dismissed")
    at.let_in(revoked)
    with at.http1(revoked) as connection:
        assert connection.ask().status == 200
        revoke_client("dismissed", registry=at.registry, reason=RevocationReason.SUPERSEDED, **at.recorded)
        until(lambda: connection.ask().status == 403, "refused on the open connection", 1)
    assert at.status(revoked) == 403


@pytest.mark.parametrize("version", _VERSIONS)
def test_who_may_pass_does(version: str, strict: Guarded) -> None:
    context = strict.friend.context("http/1.1", newest=_VERSIONS[version])
    with Http1(strict.deployment.port, strict.friend, context) as connection:
        assert connection.ask().status == 200
        assert connection.tls.version() == version.replace(" ", "v")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_older_tls_is_refused(version: ssl.TLSVersion, guarded: Guarded) -> None:
    context = guarded.friend.context("http/1.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = version, version
    with pytest.raises(Closed):
        Http1(guarded.deployment.port, guarded.friend, context)
