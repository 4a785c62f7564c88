"""The balancers' second network on real machines: what it carries, and what its loss costs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.running import ROOT, RunningLab, lab_of
from tests.lab.test_faults import BOUND_S, Seen, go_on, watched

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

FARM = f"""\
[farm]
name = "crossed"
[network]
lan = "10.0.0.0/24"
direct = "10.100.100.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["crossed.example"]
source = "{ROOT}/examples/site"
[servers]
lb1 = {{ address = "10.0.0.2", roles = ["balancer"], direct = "10.100.100.2" }}
lb2 = {{ address = "10.0.0.3", roles = ["balancer"], direct = "10.100.100.3" }}
web1 = {{ address = "10.0.0.4", roles = ["web", "database"] }}
"""


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Two balancers with a cable between them, and one server behind them."""
    farm = tmp_path_factory.mktemp("crossed") / "farm.toml"
    farm.write_text(FARM)
    with lab_of(farm) as running:
        running.lab.up()
        running.stillup("--lab", "apply")
        yield running


def test_the_second_network_carries_haproxy_s_tables_and_nothing_else(crossed: RunningLab) -> None:
    said = crossed.shell("lb1", "ss -Htn state established")
    assert "10.100.100.3" in said
    scan = crossed.shell("lb2", "ss -Hltn; nft list chain inet stillup_firewall input")
    assert "10.100.100.3:1024" in scan
    assert "ip daddr 10.100.100.3 ip saddr @direct udp dport 6940 accept" in scan


def test_a_pulled_cable_frees_the_address_at_once(crossed: RunningLab, tmp_path: Path) -> None:
    def fault(seen: Seen) -> None:
        crossed.lab.cut(seen.holder)
        go_on(2.0)
        crossed.lab.heal(seen.holder)
        go_on(1.0)

    seen = watched(crossed, tmp_path, BOUND_S, fault)
    assert len(seen.cost.balancers) == 2, "the address did not move"


def test_the_second_network_s_own_cut_changes_nothing(crossed: RunningLab, tmp_path: Path) -> None:
    def fault(seen: Seen) -> None:
        crossed.stillup("lab", "cut", "lb1", "--direct")
        assert "second network: cable pulled" in crossed.stillup("lab", "status").stdout
        go_on(2.0)
        crossed.stillup("lab", "heal", "lb1")
        go_on(1.0)

    seen = watched(crossed, tmp_path, BOUND_S, fault)
    assert seen.cost.failed == 0
    assert seen.cost.balancers == (seen.holder,)
