"""The forgeries are as good as an attacker's can be, and no better: only the signature is wrong."""

from collections.abc import Callable
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from handclasp.errors import PathInvalid
from handclasp.pki.keys import KeyAlgorithm
from handclasp.pki.path import verify_path
from handclasp.verify.credential import Credential, refusal
from handclasp.verify.rogue import impostor, rogue_client, self_signed_rogue
from tests import making
from tests.verify.conftest import Deployment, now

FORGERIES = (self_signed_rogue, rogue_client, impostor)


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_forgery_has_a_path(deployment: Deployment, forge: Callable[[Credential, datetime], Credential]) -> None:
    forged = forge(deployment.client, now())
    assert refusal(forged) is None
    with pytest.raises(PathInvalid):
        verify_path(forged.chain[0], [*forged.chain[1:], deployment.intermediate], [deployment.root], now=now())


def test_the_rogue_ca_calls_itself_what_the_issuer_is_called(deployment: Deployment) -> None:
    forged = rogue_client(deployment.client, now())
    assert forged.chain[0].issuer == forged.chain[1].subject == deployment.intermediate.subject


def test_the_impostor_is_the_client_word_for_word_but_for_key_and_signature(deployment: Deployment) -> None:
    real, forged = deployment.client.chain[0], impostor(deployment.client, now()).chain[0]
    for each in ("subject", "issuer", "serial_number", "not_valid_before_utc", "not_valid_after_utc"):
        assert getattr(forged, each) == getattr(real, each)
    assert list(forged.extensions) == list(real.extensions)
    assert forged.public_key() != real.public_key()


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forgerys_key_is_of_the_real_keys_kind(forge: Callable[[Credential, datetime], Credential]) -> None:
    real = making.key(KeyAlgorithm.RSA2048)
    certificate = making.certificate("Client", making.root(), of=real)
    assert isinstance(forge(Credential((certificate,), real), making.NOW).key, rsa.RSAPrivateKey)
