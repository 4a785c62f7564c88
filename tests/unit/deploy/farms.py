"""Farms for the tests of what acts on a farm: the example's, as a script."""

import asyncio
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.unit.deploy.scripted import ScriptedFarm
from tests.unit.deploy.situations import EXAMPLE

from stillup.deploy.apply import Outcome, Wishes, apply
from stillup.deploy.events import Event
from stillup.deploy.package import pack
from stillup.model.farm import Farm, Secrets
from stillup.model.read import read_farm

CLUSTER_PEM = "".join(
    f"-----BEGIN {kind}-----\nMA==\n-----END {kind}-----\n"
    for kind in ("CERTIFICATE", "CERTIFICATE", "PRIVATE KEY")
)
SECRETS = Secrets("11" * 32, "one", "two", "pem\n", cluster_key="22" * 32, cluster_pem=CLUSTER_PEM)


def example() -> Farm:
    farm = read_farm(EXAMPLE.read_bytes(), "farm.toml")
    assert isinstance(farm, Farm)
    return farm


FARM = example()
WEB_CHANGED = replace(FARM, web=replace(FARM.web, php_memory_bytes=256 * 2**20))
"""Changes the web servers and nothing else."""


def site(folder: Path, text: str = "<?php echo 1;") -> Path:
    source = folder / "site"
    source.mkdir(exist_ok=True)
    (source / "index.php").write_text(text)
    return source


def applied(
    scripted: ScriptedFarm,
    farm: Farm,
    source: Path,
    wishes: Wishes | None = None,
    told: list[Event] | None = None,
) -> Outcome:
    events = [] if told is None else told
    return asyncio.run(
        apply(farm, SECRETS, scripted.access, source, wishes=wishes, report=events.append)
    )


def serving(source: Path) -> ScriptedFarm:
    """Return a farm that serves what is in ``source`` now, held by lb1."""
    with pack(source) as package:
        return _serving(source, package.release).copy()


@cache
def _serving(source: Path, _release: str) -> ScriptedFarm:
    scripted = ScriptedFarm(FARM)
    applied(scripted, FARM, source)
    scripted.holder = "lb1"
    return scripted
