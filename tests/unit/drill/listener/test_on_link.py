"""Where an address can be asked for, from the kernel's own routes."""

import pytest

from stillup.drill.history import Heard
from stillup.drill.listener.on_link import interface_for
from stillup.drill.listener.settings import (
    Deaf,
    Listens,
    Settings,
    heard_line,
    line,
    parsed,
    settings,
)

ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100000A	0003	0	0	0	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth1	0064640A	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth0	4000000A	0200000A	0003	0	0	0	C0FFFFFF	0	0	0
"""
ROUTES6 = """\
fd001000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd001000000000000000000000000099 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""


@pytest.mark.parametrize(
    ("address", "interface"),
    [
        ("10.0.0.1", "eth0"),
        ("10.100.100.1", "eth1"),
        ("10.0.0.65", None),  # a narrower route leads to it by a router
        ("192.0.2.1", None),
        ("fd00:1000::1", "eth0"),
        ("2001:db8::1", None),
    ],
)
def test_only_what_is_on_a_network_of_ours_can_be_asked_for(
    address: str, interface: str | None
) -> None:
    assert interface_for(address, ROUTES, ROUTES6) == interface


def test_without_any_route_nothing_can_be_asked_for() -> None:
    assert interface_for("10.0.0.1", ROUTES.splitlines()[0], "") is None
    assert interface_for("fd00:1000::1", ROUTES, "") is None


def test_what_is_told_travels_as_lines() -> None:
    told = Settings(("10.0.0.1", "fd00::1"), 12.5)
    assert settings(line(told)) == told
    heard = Heard(1.25, "10.0.0.1", "02:00:00:00:00:01")
    for one, text in ((heard, heard_line(heard)), (Deaf(1.0, 1.5), line(Deaf(1.0, 1.5)))):
        assert parsed(text) == one
    assert parsed(line(Listens("no Ethernet"))) == Listens("no Ethernet")
