"""Checkpoints: the audit trail's head, signed now and then, so that a tail cut off or rewritten is found.

The hash chain alone shows an edit in the middle, but whoever can write the database can cut off its end, or compute
every hash anew from some entry on. A signature by a key that is not in the database (Ed25519, in custody, made once
and never leaving it) he cannot compute; a checkpoint printed or stored elsewhere he cannot even remove.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from handclasp.authority.audit.checkpoint_due import is_due
from handclasp.authority.recording import details
from handclasp.custody.port import Custody
from handclasp.errors import KeyUnavailable
from handclasp.pki.keys import KeyAlgorithm, generate
from handclasp.registry.audit_chain import checkpoint_text
from handclasp.registry.port import Registry
from handclasp.registry.records import AuditCheckpoint

#: The key's name in custody.
KEY_NAME = "audit"


def checkpoint_if_due(registry: Registry, custody: Custody, *, every: int, actor: str) -> AuditCheckpoint | None:
    """A checkpoint if there is none yet, or `every` entries have come since the last; None if it is not due.

    Any number of processes may call it at once: one makes it. Raises KeyUnavailable when the key is elsewhere.
    """
    return checkpoint_now(registry, custody, actor=actor) if is_due(registry, every) else None


def checkpoint_now(registry: Registry, custody: Custody, *, actor: str) -> AuditCheckpoint | None:
    """The newest checkpoint, made now unless the head is signed already; None while the trail is empty.

    The key is made with the first one, under the registry's write lock: two first uses make one key. Raises
    KeyUnavailable.
    """
    head = registry.last_audit()
    if head is None:
        return None
    with registry.change() as change:
        last = change.last_checkpoint()
        if last is not None and last.sequence >= head.sequence:
            return last
        key = _kept(custody) if last else _kept_or_made(custody)
        at = change.now()
        made = AuditCheckpoint(
            sequence=head.sequence,
            hash=head.hash,
            at=at,
            public_key=_hex(key),
            signature=key.sign(checkpoint_text(head.sequence, head.hash, at)).hex(),
        )
        change.add_checkpoint(made)
        if last is None:
            facts = details(key_name=KEY_NAME, first_checkpoint=made.sequence)
            change.record(at=at, actor=actor, action="audit.sign", subject=made.public_key, details=facts)
    return made


def audit_public_key(custody: Custody) -> str:
    """The key that checkpoints are signed with, hex. Raises KeyUnavailable."""
    return _hex(_kept(custody))


def is_signed(checkpoint: AuditCheckpoint) -> bool:
    """True if its signature is by the key it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint.public_key))
        text = checkpoint_text(checkpoint.sequence, checkpoint.hash, checkpoint.at)
        key.verify(bytes.fromhex(checkpoint.signature), text)
    except (ValueError, InvalidSignature):
        return False
    return True


def _kept_or_made(custody: Custody) -> Ed25519PrivateKey:
    try:
        return _kept(custody)
    except KeyUnavailable:
        if not custody.sealed():
            # A gateway's machine, say: a key made here would be one that the authority's machine does not have.
            raise KeyUnavailable(
                "custody holds no keys here", hint="the audit trail is signed where the authority's keys are"
            ) from None
        # Refused if a key is there after all, and only cannot be used.
        custody.keep(KEY_NAME, generate(KeyAlgorithm.ED25519))
        return _kept(custody)


def _kept(custody: Custody) -> Ed25519PrivateKey:
    key = custody.signer(KEY_NAME)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnavailable(f"the key named {KEY_NAME} in custody is not the audit trail's: that is an Ed25519 key")
    return key


def _hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()
