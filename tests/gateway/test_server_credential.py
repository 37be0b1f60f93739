"""The server certificate on disk serves as long as it is right, and is made anew when anything about it is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from handclasp.gateway.server_credential import ServerPem, server_credential
from handclasp.pki.keys import open_sealed, seal, spki
from handclasp.pki.pem import load_certificates
from tests.gateway.deployment import Deployment, now
from tests.making import key

_NAMES = ("localhost", "127.0.0.1")


def _credential(at: Deployment, *, names: tuple[str, ...] = _NAMES, when: datetime | None = None) -> ServerPem:
    ports = {**at.ports, "now": when or now()}
    return server_credential(_file(at), names, anchors=[at.root], **ports)


def _file(at: Deployment) -> Path:
    return at.state / "gateway" / "server.pem"


def test_it_is_a_pair_for_these_names_with_the_chain_a_client_needs(deployment: Deployment) -> None:
    made = _credential(deployment)
    certificates = load_certificates(made.chain)
    assert len(certificates) == 2
    assert spki(open_sealed(bytes(made.key)).public_key()) == spki(certificates[0].public_key())
    names = certificates[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == list(_NAMES)
    assert _file(deployment).stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(made)


def test_the_same_is_used_again(deployment: Deployment) -> None:
    assert _credential(deployment) == _credential(deployment)


def _damaged(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def _open_to_others(file: Path) -> None:
    file.chmod(0o644)


def _another_key(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes(seal(key())) + content[content.index(b"-----BEGIN CERTIFICATE") :])


@pytest.mark.parametrize("harm", [Path.unlink, _damaged, _open_to_others, _another_key])
def test_what_is_wrong_with_the_file_is_mended_by_a_new_one(
    harm: Callable[[Path], None], deployment: Deployment
) -> None:
    first = _credential(deployment)
    harm(_file(deployment))
    second = _credential(deployment)
    assert second.chain != first.chain
    assert _credential(deployment) == second


def test_other_names_need_another_certificate(deployment: Deployment) -> None:
    first = _credential(deployment)
    assert _credential(deployment, names=("gateway.internal",)).chain != first.chain


def test_it_is_renewed_when_two_thirds_of_its_life_are_over(deployment: Deployment) -> None:
    first = _credential(deployment)
    assert _credential(deployment, when=now() + timedelta(days=59)) == first
    assert _credential(deployment, when=now() + timedelta(days=61)).chain != first.chain


def test_one_of_an_issuer_that_is_no_longer_trusted_is_replaced(deployment: Deployment) -> None:
    first = _credential(deployment)
    anchors: list[x509.Certificate] = []
    made = server_credential(_file(deployment), _NAMES, anchors=anchors, **deployment.ports)
    assert made.chain != first.chain
    assert replace(made) == made
