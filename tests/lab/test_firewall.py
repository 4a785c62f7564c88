"""The firewall, scanned from another host on the LAN: only what must be open is open."""

import re

import pytest
from tests.lab.running import RunningLab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

# What each address may answer to a host that is no part of the farm.
OPEN = {
    "virtual IP": {80, 443},
    "lb1": {22},
    "lb2": {22},
    "web1": {22},
    "web2": {22},
    "web3": {22},
    "db1": {22},
}
SCAN = ("-sS", "-n", "-Pn", "--min-rate=20000", "--max-retries=1", "--min-hostgroup=8", "-p1-65535")


def test_all_ports_of_all_servers_are_shut_but_those_that_must_be_open(
    applied: RunningLab,
) -> None:
    names = {str(server.address): server.name for server in applied.farm.servers}
    names[str(applied.farm.vip.addresses[0])] = "virtual IP"
    told = applied.client("nmap", *SCAN, "-oG", "-", *names).stdout
    found = {
        names[line.split()[1]]: {int(port) for port in re.findall(r"(\d+)/open/", line)}
        for line in told.splitlines()
        if "Ports:" in line
    }
    assert found == OPEN


@pytest.mark.parametrize(("server", "port"), [("db1", 3306), ("web1", 80), ("lb1", 1024)])
def test_what_is_shut_to_strangers_is_open_to_those_who_need_it(
    applied: RunningLab, server: str, port: int
) -> None:
    friend = {"db1": "web1", "web1": "lb1", "lb1": "lb2"}[server]
    address = applied.lab.server(server).address
    line = f"exec 3<>/dev/tcp/{address}/{port} && echo open"
    assert applied.shell(friend, f"timeout 3 bash -c '{line}'").strip() == "open"


def test_datagrams_of_strangers_find_nothing(applied: RunningLab) -> None:
    ports = "53,67,111,123,161,514,694,2049,5353,6940,11211"
    scan = ["nmap", "-sU", "-n", "-Pn", "--max-retries=1", "-oG", "-", f"-p{ports}"]
    for server in applied.farm.servers:
        found = applied.client(*scan, str(server.address)).stdout
        assert re.findall(r"(\d+)/open/", found) == []
