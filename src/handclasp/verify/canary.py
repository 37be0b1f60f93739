"""A canary's request: through one gateway, with a certificate that exists to be let in or refused there."""

import ssl

from cryptography import x509

from handclasp.authority.probe import Probe
from handclasp.authority.rotation.gateway_evidence import Answer
from handclasp.registry.fleet import Gateway
from handclasp.verify.attempt import REFUSING, Conversation
from handclasp.verify.endpoint import Endpoint, client_context
from handclasp.verify.own_authority import presentable
from handclasp.verify.target import Target

PATH = "/.well-known/handclasp/canary"
_FORBIDDEN = b'{"message":"Forbidden"}'


def ask_gateway(gateway: Gateway, probe: Probe, anchors: tuple[x509.Certificate, ...], timeout: float = 5.0) -> Answer:
    """Whether that gateway lets the probe in. What the service behind it answers, or that it is down, is no matter."""
    host, _, port = gateway.address.rpartition(":")
    name = gateway.server_name.replace("*", "canary", 1)
    target = Target("https", name, int(port), PATH)
    credential = presentable(probe)
    endpoint = Endpoint(target, credential, anchors, timeout=timeout)
    try:
        context = client_context(endpoint, credential)
    except (ssl.SSLError, ValueError) as error:
        return Answer(let_in=False, words=str(error))
    with Conversation(target, context, timeout, (host.strip("[]"), int(port))) as conversation:
        outcome = conversation.open() or conversation.ask()
    refused_by_the_gateway = outcome.status in REFUSING and outcome.body.strip() in {b"", _FORBIDDEN}
    return Answer(let_in=outcome.status is not None and not refused_by_the_gateway, words=outcome.words)
