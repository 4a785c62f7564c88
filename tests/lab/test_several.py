"""A farm with several virtual IPs, IPv4 and IPv6, on real machines with a real HAProxy."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.asker import Asked, Asker, latest_s, longest_outage_s
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab, lab_of

from stillup.lab.network import client_network

pytestmark = [pytest.mark.lab, pytest.mark.apart, pytest.mark.slow, pytest.mark.timeout(600)]

FARM = """\
[farm]
name = "several"
[network]
lan = "10.0.0.0/24"
lan6 = "fd00:10::/64"
[vip]
addresses = [ADDRESSES]
[site]
hosts = ["several.example"]
source = "site/"
[servers]
lb1 = { address = "10.0.0.2", roles = ["balancer"] }
lb2 = { address = "10.0.0.3", roles = ["balancer"] }
web1 = { address = "10.0.0.4", roles = ["web", "database"] }
"""
VIPS = ("10.0.0.1", "10.0.0.11", "fd00:10::1")
NEW = "10.0.0.12"
BOUND_S = 0.5 + 0.1
EVERY_S = 0.02
"""As on one small machine the three clients and all servers share the processors."""


def write(path: Path, *vips: str) -> None:
    path.write_text(FARM.replace("ADDRESSES", ", ".join(f'"{vip}"' for vip in vips)))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The farm, applied, with the example's site."""
    folder = tmp_path_factory.mktemp("several")
    write(folder / "farm.toml", *VIPS)
    (folder / "site").symlink_to(ROOT / "examples" / "site")
    with lab_of(folder / "farm.toml") as running:
        running.lab.up()
        running.stillup("--lab", "apply")
        running.stillup("--lab", "release")
        yield running


@contextmanager
def asked(running: RunningLab, folder: Path) -> Iterator[dict[str, list[Asked]]]:
    """Ask through every address while something happens."""
    enter = ["nsenter", f"--net={client_network(running.lab.home)}"]
    seen: dict[str, list[Asked]] = {}
    clients = {}
    for vip in VIPS:
        url = f"http://[{vip}]/health" if ":" in vip else f"http://{vip}/health"
        clients[vip] = Asker(enter, url, folder / f"{vip}.json", every_s=EVERY_S, patience_s=3.0)
    time.sleep(0.5)
    try:
        yield seen
        time.sleep(1.0)
    finally:
        seen |= {vip: client.stop() for vip, client in clients.items()}


def holders(running: RunningLab) -> Mapping[str, str | None]:
    """Return who holds each address, as ``stillup status`` tells."""
    told = json.loads(running.stillup("--lab", "status", "--json", check=False).stdout)
    return {vip["address"]: vip["holder"] for vip in told["vips"]}


def wait_for(running: RunningLab, wanted: Mapping[str, str]) -> None:
    end_s = time.monotonic() + 60
    while (found := holders(running)) != wanted:
        assert time.monotonic() < end_s, found
        time.sleep(0.5)


def test_they_are_shared_out_and_each_answers(several: RunningLab, tmp_path: Path) -> None:
    several.stillup("--lab", "status", "--wait", "60")
    wait_for(several, {VIPS[0]: "lb1", VIPS[1]: "lb2", VIPS[2]: "lb1"})

    with asked(several, tmp_path) as seen:
        pass

    assert {vip: [each.error for each in told if each.error] for vip, told in seen.items()} == {
        vip: [] for vip in VIPS
    }


def test_they_are_gathered_on_the_survivor_and_shared_out_again(
    several: RunningLab, tmp_path: Path
) -> None:
    wait_for(several, {VIPS[0]: "lb1", VIPS[1]: "lb2", VIPS[2]: "lb1"})
    with asked(several, tmp_path) as seen:
        several.lab.power("lb1", on=False)
        wait_for(several, dict.fromkeys(VIPS, "lb2"))

    for vip, told in seen.items():
        outage_s = longest_outage_s(told) - latest_s(told)
        figure(f"lb1 of two balancers loses its power, {vip}: outage {outage_s * 1000:.0f} ms")
        assert outage_s < BOUND_S + EVERY_S
    assert [each.error for each in seen[VIPS[1]] if each.error] == []

    several.lab.power("lb1", on=True)
    wait_for(several, {VIPS[0]: "lb1", VIPS[1]: "lb2", VIPS[2]: "lb1"})


def test_an_address_is_added_and_removed_and_the_others_are_not_disturbed(
    several: RunningLab, tmp_path: Path
) -> None:
    before = {VIPS[0]: "lb1", VIPS[1]: "lb2", VIPS[2]: "lb1"}
    wait_for(several, before)
    with asked(several, tmp_path) as seen:
        write(several.farm_path, *VIPS, NEW)
        several.stillup("--lab", "apply")
        wait_for(several, {**before, NEW: "lb2"})
        several.client("curl", "-sS", "--fail", "--max-time", "5", f"http://{NEW}/health")
        write(several.farm_path, *VIPS)
        several.stillup("--lab", "apply")

    for vip, told in seen.items():
        outage_s = longest_outage_s(told) - latest_s(told)
        figure(f"an address is added and removed beside {vip}: longest wait {outage_s:.3f} s")
        assert [each.error for each in told if each.error] == []
    for server in ("lb1", "lb2"):
        assert NEW not in several.shell(server, "ip address; nft list tables")
