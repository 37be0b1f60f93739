"""Presets of `init`: sizes and lifetimes that belong together, and the settings that keep to them afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass

from handclasp.atomic_file import write_atomically
from handclasp.cli.context import Session
from handclasp.cli.output import say
from handclasp.settings import CONFIGURATION_FILE


@dataclass(frozen=True, slots=True)
class Preset:
    """`hierarchy` fills what `init` was not told; `settings` become STATE/handclasp.toml if there is none."""

    hierarchy: Mapping[str, str | int]
    settings: str


PRESETS: dict[str, Preset] = {
    # The widespread how-to for mutual TLS with API Gateway. It signs clients with the root; we do not, and the
    # intermediate it lacks has 3,072 bits: as strong as P-256 (NIST SP 800-57), and signing costs half of 4,096.
    "how-to": Preset(
        hierarchy={
            "root_algorithm": "rsa4096",
            "root_days": 3650,
            "intermediate_algorithm": "rsa3072",
            "intermediate_days": 1825,
        },
        settings=(
            '# Written by: handclasp init --preset how-to\n[authority]\nkey_algorithm = "rsa2048"\nclient_days = 365\n'
        ),
    )
}


def write_settings(session: Session, preset: Preset) -> None:
    """Write the preset's settings where none are; never over somebody's own."""
    path = session.state / CONFIGURATION_FILE
    if session.config is not None or (path.exists() and path.read_text(encoding="utf-8") != preset.settings):
        say(f"note: {session.config or path} is kept as it is; the preset's settings are not written")
    elif not path.exists():
        write_atomically(path, preset.settings.encode())
