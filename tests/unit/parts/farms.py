"""The farms whose configuration is compared with golden files, and the secrets they are given."""

from dataclasses import dataclass
from pathlib import Path

from stillup.model.farm import Farm, Secrets
from stillup.model.read import read_farm
from stillup.node.bundle import Bundle, Facts
from stillup.parts.bundle import wanted

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
SECRETS = Secrets(
    heartbeat_key="5" * 64,
    database_password="a database password",
    stats_password="a stats password",
    tls_pem="the certificate and its key\n",
    cluster_key="6" * 64,
    cluster_pem="".join(
        f"-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n"
        for kind, text in (
            ("CERTIFICATE", "the authority"),
            ("CERTIFICATE", "the certificate"),
            ("PRIVATE KEY", "its key"),
        )
    ),
)
CODE = {
    "stillup/heartbeat/core.py": "# the heartbeat's code\n",
    "stillup/keeper/next_step.py": "# the keeper's code\n",
}


@dataclass(frozen=True)
class Case:
    """A farm, by the name of its golden folder, and the Debian its servers run."""

    name: str
    path: Path
    facts: Facts

    @property
    def farm(self) -> Farm:
        read = read_farm(self.path.read_bytes(), self.path.name)
        assert isinstance(read, Farm), read
        return read

    def bundles(self, secrets: Secrets = SECRETS) -> dict[str, Bundle]:
        farm = self.farm
        return {
            server.name: wanted(farm, server, secrets, self.facts, CODE) for server in farm.servers
        }


CASES = (
    Case("six", ROOT / "tests" / "farms" / "six.toml", Facts(13, "8.4", "eth0", "3.13")),
    Case("recipe", ROOT / "examples" / "recipe.toml", Facts(13, "8.4", "eth0", "3.13")),
    Case("several", GOLDEN / "several" / "farm.toml", Facts(13, "8.4", "eth0", "3.13")),
    Case("three", GOLDEN / "three" / "farm.toml", Facts(12, "8.2", "ens18", "3.11")),
    Case("pair", GOLDEN / "pair" / "farm.toml", Facts(13, "8.4", "eth0", "3.13")),
    Case("shared", GOLDEN / "shared" / "farm.toml", Facts(13, "8.4", "eth0", "3.13")),
)
