"""Look before you serve: Envoy's own validation of our configuration, and the decisions as they would be now."""

import json
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handclasp.errors import GatewayFailed
from handclasp.gateway.envoy.bootstrap_file import CURRENT, DYNAMIC_FILES, bootstrap
from handclasp.gateway.envoy.locate import check_version, find_envoy
from handclasp.gateway.issuer_trust import issuer_trust
from handclasp.gateway.policy import gateway_policy
from handclasp.gateway.table import Table
from handclasp.pki.pem import load_certificates
from handclasp.registry.port import Registry
from handclasp.settings import Settings
from handclasp.truststore.port import Truststore


@dataclass(frozen=True, slots=True)
class GatewayCheck:
    """`decisions`: how many registered client certificates get which reason now."""

    envoy: Path
    version: str
    decisions: dict[str, int]


def check_gateway(settings: Settings, registry: Registry, truststore: Truststore, now: datetime) -> GatewayCheck:
    """Raises GatewayFailed with Envoy's own words if it refuses the bootstrap, ExtraMissing if there is no Envoy."""
    envoy = find_envoy(settings.gateway.envoy)
    version = check_version(envoy)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        # Envoy wants the dynamic files to be there, and does not look into them when it validates.
        for name, dynamic in DYNAMIC_FILES.items():
            (at / name / CURRENT).mkdir(parents=True)
            (at / name / CURRENT / dynamic).touch()
        file = at / "bootstrap.json"
        file.write_text(json.dumps(bootstrap(settings.gateway, at, str(at / "access.log"))))
        command = [str(envoy), "--mode", "validate", "--config-path", str(file), "--log-level", "error"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise GatewayFailed("Envoy refuses the configuration: " + " ".join(done.stderr.split())[-500:])
    return GatewayCheck(envoy, version, decisions(settings, registry, truststore, now))


def decisions(settings: Settings, registry: Registry, truststore: Truststore, now: datetime) -> dict[str, int]:
    """The table as a gateway would have it now, counted by reason."""
    table = Table(gateway_policy(settings.gateway))
    moment = int(now.timestamp())
    table.apply(registry.standings(), moment)
    bundle = load_certificates(truststore.read() or b"", "the trust store")
    table.trust(issuer_trust(registry.issuers(), bundle, now), moment)
    return dict(Counter(entry.reason.value for entry in table.entries.values()))
