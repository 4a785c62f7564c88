"""What a server knows of itself."""

import os

from stillup.alone.server import Bearing, gateways, hosts, look

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\tFE00000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""


def test_hosts_without_the_loopback() -> None:
    text = "127.0.0.1 localhost\n127.0.1.1 lb1\n10.0.0.2 lb1 lb1.example # me\nnonsense\n::1 lb1\n"
    assert hosts(text) == {"lb1": ("10.0.0.2",), "lb1.example": ("10.0.0.2",)}


def test_the_default_gateway_of_an_interface() -> None:
    assert gateways(ROUTES) == {"eth0": "10.0.0.254"}
    assert gateways("") == {}


def test_looking_finds_this_servers_name_and_its_loopback() -> None:
    server = look()

    assert server.name == os.uname().nodename.lower()
    assert server.bearing("127.0.0.1") == Bearing("lo", "127.0.0.1", 8)


def test_an_address_in_the_same_network() -> None:
    assert Bearing("eth0", "10.0.0.2", 24).reaches("10.0.0.254")
    assert not Bearing("eth0", "10.0.0.2", 24).reaches("10.0.1.1")
