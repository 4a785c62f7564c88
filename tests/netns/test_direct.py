"""The balancers' second network: with it a lost LAN link costs no lease; its own cut costs nothing."""

import time
from collections.abc import Iterator

import pytest
from tests.netns.farm import BALANCERS, Farm, built, run, wait_for
from tests.netns.observing import LEASE_S, moved, observed

from stillup.heartbeat.settings_reader import Json

pytestmark = [pytest.mark.netns, pytest.mark.timeout(60)]

DIRECT = {"lb1": "10.100.100.2", "lb2": "10.100.100.3"}
LET_GO_S = 0.15
"""A quarter of a lease is far from its end; in a quiet moment it is a tenth of this."""


class CrossedFarm(Farm):
    """A farm whose balancers have a cable between their ``eth1``."""

    def build(self) -> None:
        super().build()
        one, other = (self.space(name) for name in BALANCERS)
        peer = ("peer", "name", "eth1", "netns", other)
        run("ip", "-n", one, "link", "add", "eth1", "type", "veth", *peer)
        for name in BALANCERS:
            run("ip", "-n", self.space(name), "address", "add", f"{DIRECT[name]}/24", "dev", "eth1")
            run("ip", "-n", self.space(name), "link", "set", "eth1", "up")

    def settings(self, name: str) -> dict[str, Json]:
        direct: Json = None
        if name in DIRECT:
            peers: dict[str, Json] = {other: at for other, at in DIRECT.items() if other != name}
            direct = {"address": DIRECT[name], "peers": peers}
        return {**super().settings(name), "direct": direct}

    def direct(self, state: str) -> None:
        """Plug the cable between the balancers in (``up``) or out (``down``)."""
        run("ip", "-n", self.space("lb1"), "link", "set", "eth1", state)
        if state == "up":
            # Taking an interface down takes nothing away but the routes.
            run("ip", "-n", self.space("lb1"), "route", "replace", "10.100.100.0/24", "dev", "eth1")


@pytest.fixture(scope="module")
def namespaced(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with built(CrossedFarm(tmp_path_factory.mktemp("farm"))) as made:
        yield made


def heard(farm: Farm, name: str) -> int:
    """Return how many words a balancer has heard on the second network."""
    direct = farm.status(name).get("direct")
    assert isinstance(direct, dict)
    received = direct["received"]
    assert isinstance(received, int)
    return received


def test_a_lost_link_frees_the_address_at_once(farm: Farm) -> None:
    before = heard(farm, "lb2")
    with observed(farm) as seen:
        farm.link("lb1", "down")
        moved(farm)
        farm.link("lb1", "up")
        wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is back")

    assert heard(farm, "lb2") > before
    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert seen.outage_s < LET_GO_S


def test_its_own_cut_changes_nothing(farm: Farm) -> None:
    assert isinstance(farm, CrossedFarm)
    with observed(farm) as seen:
        farm.direct("down")
        time.sleep(3 * LEASE_S)
        farm.direct("up")
        time.sleep(LEASE_S)

    assert seen.speakers(farm) == ["lb1"]
    assert [asked.error for asked in seen.asked if asked.error] == []


def test_with_both_cut_a_lost_link_costs_a_lease(farm: Farm) -> None:
    assert isinstance(farm, CrossedFarm)
    with observed(farm) as seen:
        farm.direct("down")
        farm.link("lb1", "down")
        moved(farm)
        farm.direct("up")
        farm.link("lb1", "up")
        wait_for(lambda: farm.status("lb1").get("healthy") is True, "lb1 is back")

    assert seen.speakers(farm) == ["lb1", "lb2"]
    assert LET_GO_S < seen.outage_s < LEASE_S + 0.1
