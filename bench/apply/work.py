"""The work that all three do: the files, units and sysctls of each server's bundle."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from stillup.cli.context import load_farm, load_secrets
from stillup.node.bundle import Bundle, Facts, File, Unit
from stillup.parts.bundle import wanted
from stillup.servers.code import server_code

# The lab's machines, as they would tell it themselves.
FACTS = Facts(debian=13, php="8.4", interface="eth0", python="3.13")

CODE = "/usr/lib/stillup/heartbeat/"


@dataclass(frozen=True)
class Work:
    """What one server is to have."""

    server: str
    address: IPv4Address
    files: tuple[File, ...]
    code: tuple[File, ...]
    """The heartbeat's own code below ``CODE``: a tree, which nobody would copy file by file."""
    units: tuple[Unit, ...]
    sysctls: tuple[tuple[str, str], ...]


def works(farm_path: Path) -> tuple[Work, ...]:
    """Return the work on every server of a farm."""
    return tuple(
        Work(
            bundle.server,
            address,
            tuple(file for file in bundle.files if not file.path.startswith(CODE)),
            tuple(file for file in bundle.files if file.path.startswith(CODE)),
            bundle.units,
            bundle.sysctls,
        )
        for address, bundle in _bundles(farm_path)
    )


def harmless_file(farm_path: Path) -> str:
    """Return a file that every server has and whose change restarts nothing.

    So that all three are measured putting a file right, and none waiting for a service.
    """
    common: set[str] | None = None
    for _, bundle in _bundles(farm_path):
        harmless = {file.path for file in bundle.files if not _touches(bundle, file.path)}
        common = harmless if common is None else common & harmless
    return min(common or ())


def _bundles(farm_path: Path) -> Iterator[tuple[IPv4Address, Bundle]]:
    farm = load_farm(farm_path)
    secrets, code = load_secrets(farm, farm_path), server_code()
    for server in farm.servers:
        yield server.address, wanted(farm, server, secrets, FACTS, code)


def _touches(bundle: Bundle, path: str) -> bool:
    watched = [p for unit in bundle.units for p in (*unit.reload_on, *unit.restart_on)]
    watched += [p for check in bundle.checks for p in check.paths]
    return any(path == p or (p.endswith("/") and path.startswith(p)) for p in watched)
