"""TLS sessions: the gateway offers none, so nobody comes back on an old verification."""

import ssl

import pytest

from handclasp.authority.revoke import revoke_client
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.registry.records import RevocationReason
from tests.gateway.callers import Caller, Closed, Http1
from tests.gateway.conftest import Guarded
from tests.gateway.deployment import Deployment, until
from tests.making import certificate

_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def _taken_session(at: Deployment, caller: Caller, context: ssl.SSLContext) -> ssl.SSLSession | None:
    """What the gateway gives a client to come back with, after a request has been answered."""
    with Http1(at.port, caller, context) as connection:
        connection.ask()
        return connection.tls.session


def _resumed(at: Deployment, caller: Caller, context: ssl.SSLContext, session: ssl.SSLSession) -> tuple[bool, int]:
    """Was the handshake abbreviated, and what was the request's status?"""
    with Http1(at.port, caller, context, session=session) as connection:
        status = connection.ask().status
        return bool(connection.tls.session_reused), status


@pytest.mark.parametrize("version", _VERSIONS)
def test_no_session_is_offered(version: str, guarded: Guarded) -> None:
    context = guarded.friend.context("http/1.1", newest=_VERSIONS[version])
    session = _taken_session(guarded.deployment, guarded.friend, context)
    if session is not None:
        assert not session.has_ticket
        assert session.id == b"" or version == "TLS 1.3"


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_session_from_before_the_revocation_lets_nobody_in(version: str, guarded: Guarded) -> None:
    at = guarded.deployment
    victim = at.enrol(f"resuming-{version.replace(' ', '-')}")
    at.let_in(victim)
    context = victim.context("http/1.1", newest=_VERSIONS[version])
    session = _taken_session(at, victim, context)
    if session is not None:
        assert _resumed(at, victim, context, session) == (False, 200)

    revoke_client(victim.name, registry=at.registry, reason=RevocationReason.KEY_COMPROMISE, **at.recorded)
    until(lambda: at.status(victim) == 403, "revoked")
    if session is not None:
        assert _resumed(at, victim, context, session) == (False, 403)


@pytest.mark.parametrize("version", _VERSIONS)
def test_the_session_of_somebody_whose_certificate_was_not_validated_is_worth_nothing(
    version: str, guarded: Guarded
) -> None:
    at = guarded.deployment
    key = generate(KeyAlgorithm.P256)
    stranger = at.caller("stranger", (certificate("friend", of=key),), key)
    context = stranger.context("http/1.1", newest=_VERSIONS[version])
    session = _taken_session(at, stranger, context)
    if session is not None:
        assert _resumed(at, stranger, context, session) == (False, 403)


@pytest.mark.parametrize("version", _VERSIONS)
def test_where_the_handshake_refuses_a_good_session_does_not_carry_a_bad_certificate(
    version: str, strict: Guarded
) -> None:
    at = strict.deployment
    good = strict.friend.context("http/1.1", newest=_VERSIONS[version])
    session = _taken_session(at, strict.friend, good)
    # The same context, so that the session may be offered, without its certificate: a request or nothing.
    if session is not None:
        assert _resumed(at, strict.friend, good, session) == (False, 200)
    with pytest.raises(Closed), at.http1(at.nobody) as connection:
        connection.ask()
