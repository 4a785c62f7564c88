"""A balancer joins and leaves on real machines, under load: who votes changes in rounds."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab, lab_of
from tests.lab.test_faults import words

from stillup.lab.answers import cost
from stillup.lab.asker import asking
from stillup.lab.lab import Lab
from stillup.model.farm import Farm
from stillup.model.read import read_farm

pytestmark = [pytest.mark.lab, pytest.mark.apart, pytest.mark.timeout(400)]

FARM = f"""\
[farm]
name = "joining"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["joining.example"]
source = "{ROOT}/examples/site"
[servers]
lb1 = {{ address = "10.0.0.2", roles = ["balancer"] }}
lb2 = {{ address = "10.0.0.3", roles = ["balancer"] }}
web1 = {{ address = "10.0.0.4", roles = ["web", "database"] }}
"""
HEARTBEAT = "PYTHONPATH=/usr/lib/stillup/heartbeat python3 -m stillup.heartbeat"
LB3 = 'lb3 = { address = "10.0.0.5", roles = ["balancer"] }\n'


def now(path: Path) -> RunningLab:
    """Return the lab by what the farm file says now."""
    read = read_farm(path.read_bytes(), path.name)
    assert isinstance(read, Farm), read
    return RunningLab(path, read, Lab(read, path))


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Path]:
    """A farm file whose farm serves."""
    path = tmp_path / "farm.toml"
    path.write_text(FARM)
    with lab_of(path) as running:
        running.lab.up()
        running.stillup("--lab", "apply")
        yield path


def applied(path: Path) -> str:
    """Apply the farm file while somebody asks; return the plan's steps."""
    running = now(path)
    steps = running.stillup("--lab", "plan").stdout
    with asking(running.lab, "/health") as client:
        running.stillup("--lab", "apply")
        seen = cost(client.stop())
    figure(f"who votes changes: {words(seen)}")
    assert seen.failed == 0
    assert json.loads(running.stillup("--lab", "plan", "--json").stdout)["steps"] == []
    return steps


def votes(running: RunningLab, server: str) -> list[str]:
    """Return whom a server's heartbeat votes with."""
    said = running.shell(server, f"{HEARTBEAT} status")
    status = json.loads(said)
    assert status["change"] is None
    return sorted([*status["voters"], status["name"]])


def test_a_balancer_joins_and_leaves_and_no_request_fails(farm: Path) -> None:
    farm.write_text(FARM + LB3)
    now(farm).lab.up()
    assert "votes by the lists of before and after together" in applied(farm)
    assert votes(now(farm), "lb3") == votes(now(farm), "web1") == ["lb1", "lb2", "lb3", "web1"]

    # It leaves while it runs, as one does that a person forgot to switch off.
    farm.write_text(FARM)
    applied(farm)
    assert votes(now(farm), "lb1") == ["lb1", "lb2", "web1"]
