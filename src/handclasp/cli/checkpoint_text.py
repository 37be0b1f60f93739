"""Checkpoints as text: printed for somebody to keep elsewhere, and read back from there."""

import json
import re
from datetime import datetime
from typing import Any

from handclasp.cli.output import moment
from handclasp.errors import InvalidInput
from handclasp.registry.records import AuditCheckpoint

_HASH = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]*")


def checkpoint_json(checkpoint: AuditCheckpoint) -> dict[str, object]:
    return {
        "sequence": checkpoint.sequence,
        "hash": checkpoint.hash,
        "at": moment(checkpoint.at),
        "public_key": checkpoint.public_key,
        "signature": checkpoint.signature,
    }


def checkpoint_line(checkpoint: AuditCheckpoint) -> str:
    return json.dumps(checkpoint_json(checkpoint))


def parse_checkpoints(content: bytes, what: str) -> list[AuditCheckpoint]:
    """Every checkpoint in JSON values one after the other: lines of `audit checkpoint`, what `audit verify --json` or
    `audit export` printed. Raises InvalidInput.

    Of `audit verify` the head counts too: a number and a hash without a signature.
    """
    try:
        return [found for value in _values(content.decode()) for found in _checkpoints(value)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidInput(
            f"{what} holds no checkpoints", hint="handclasp audit checkpoint prints one, as a line of JSON"
        ) from None


def _values(text: str) -> list[Any]:
    decoder = json.JSONDecoder()
    found: list[Any] = []
    at = 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def _checkpoints(value: dict[str, Any]) -> list[AuditCheckpoint]:
    if "head" in value:
        head = [AuditCheckpoint(int(value["entries"]), _matching(_HASH, value["head"]), 0, "", "")]
        signed = value.get("checkpoint")
        return [each for each in head if each.sequence > 0] + (_checkpoints(signed) if signed else [])
    if "signature" not in value:
        return []  # an entry, in an export
    at = datetime.fromisoformat(value["at"])
    return [
        AuditCheckpoint(
            sequence=int(value["sequence"]),
            hash=_matching(_HASH, value["hash"]),
            at=int(at.timestamp()),
            public_key=_matching(_HEX, value["public_key"]),
            signature=_matching(_HEX, value["signature"]),
        )
    ]


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError
    return text
