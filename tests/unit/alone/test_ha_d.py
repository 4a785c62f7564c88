"""The folder ``/etc/ha.d`` as a whole: the recipe's files, and what the server must know."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillup.alone.fate import Kind
from stillup.alone.ha_d import Files, HaD, read
from stillup.alone.server import Bearing, Server

RECIPE = Path(__file__).resolve().parents[3] / "examples/ha.d"
FILES = Files(
    (RECIPE / "ha.cf").read_text(),
    (RECIPE / "authkeys").read_text(),
    0o100600,
    (RECIPE / "haresources").read_text(),
)
LAN = Bearing("eth0", "10.0.0.2", 24)
CABLE = Bearing("eth1", "10.100.100.2", 24)
ONE = Server(
    "haproxy-01",
    (LAN, CABLE),
    hosts={"haproxy-01": ("10.0.0.2",), "haproxy-02": ("10.100.100.3", "10.0.0.3")},
    gateways={"eth0": "10.0.0.254"},
)
TWO = replace(ONE, name="haproxy-02", bearings=(Bearing("eth0", "10.0.0.3", 24),))


def refusals(read_: HaD) -> list[str]:
    return [f"{fate.what}: {fate.text}" for fate in read_.refusals]


def with_cf(*lines: str) -> Files:
    return replace(FILES, ha_cf=FILES.ha_cf + "\n".join(lines))


def test_the_recipe_as_printed() -> None:
    told = read(FILES, ONE)

    assert refusals(told) == []
    assert told.values == {
        "farm": "ha.d",
        "name": "haproxy-01",
        "key_file": "authkeys",
        "lease_ms": 5000,
        "candidates": ["haproxy-01", "haproxy-02"],
        "voters": {"haproxy-01": "10.0.0.2", "haproxy-02": "10.0.0.3"},
        "vips": [{"address": "10.0.0.1", "prefix": 24, "preferred": "haproxy-01"}],
        "address": "10.0.0.2",
        "interface": "eth0",
        "failback": True,
        "witness": "10.0.0.254",
    }
    assert told.logs == ("/var/log/ha-log", "/var/log/ha-debug")


def test_both_servers_agree_on_who_takes_part() -> None:
    one, two = read(FILES, ONE).values, read(FILES, TWO).values

    for key in ("farm", "lease_ms", "candidates", "voters", "vips", "witness"):
        assert one[key] == two[key]
    assert (two["name"], two["address"]) == ("haproxy-02", "10.0.0.3")


def test_each_line_has_one_fate() -> None:
    fates = read(FILES, ONE).fates

    places = [(fate.file, fate.line) for fate in fates if fate.line]
    assert len(places) == len(set(places))
    lines = [line for line in FILES.ha_cf.splitlines() if line.strip()]
    assert len([place for place in places if place[0] == "ha.cf"]) == len(lines)
    assert [fate.text.split(",")[0] for fate in fates if fate.what.startswith("node ")] == [
        "has a vote at 10.0.0.2",
        "has a vote at 10.0.0.3",
    ]


def test_a_server_that_no_line_names_is_told_its_name() -> None:
    (told, *_) = refusals(read(FILES, replace(ONE, name="web1")))
    assert "this server is called web1 (uname -n), and no node line names it" in told


def test_an_address_that_hosts_does_not_know_is_asked_for() -> None:
    (told,) = refusals(read(FILES, replace(ONE, hosts={})))

    assert told.startswith("node haproxy-02: its address on eth0 is not known here")
    assert "/etc/hosts" in told


def test_ucast_tells_the_address_of_the_other_one_of_two() -> None:
    files = with_cf("ucast eth0 10.0.0.2", "ucast eth0 10.0.0.3")

    one = read(files, replace(ONE, hosts={}))
    two = read(files, replace(TWO, hosts={}))

    assert (
        one.values["voters"]
        == two.values["voters"]
        == {
            "haproxy-01": "10.0.0.2",
            "haproxy-02": "10.0.0.3",
        }
    )


def test_ucast_on_the_cable_is_the_second_network() -> None:
    told = read(with_cf("ucast eth1 10.100.100.2", "ucast eth1 10.100.100.3"), ONE)

    assert told.values["direct"] == {
        "address": "10.100.100.2",
        "peers": {"haproxy-02": "10.100.100.3"},
    }


def test_ping_names_the_witness() -> None:
    assert read(with_cf("ping 10.0.0.99 10.0.0.98"), ONE).values["witness"] == "10.0.0.99"


def test_two_servers_without_a_witness_are_refused() -> None:
    (told,) = refusals(read(FILES, replace(ONE, gateways={"eth1": "10.100.100.1"})))
    assert "two servers cannot tell a dead one from a cut" in told
    assert "ping 10.0.0.254" in told


def test_the_witness_is_none_of_the_servers() -> None:
    (told,) = refusals(read(with_cf("ping 10.0.0.3"), ONE))
    assert "is one of the two servers" in told


def test_three_servers_need_no_witness() -> None:
    hosts = {**ONE.hosts, "haproxy-03": ("10.0.0.4",)}
    told = read(with_cf("node haproxy-03", "ping 10.0.0.254"), replace(ONE, hosts=hosts))

    assert refusals(told) == []
    assert "witness" not in told.values


def test_without_an_interface_it_is_the_one_that_reaches_the_address() -> None:
    told = read(replace(FILES, haresources="haproxy-01 10.0.0.1\n"), ONE)

    assert (told.values["interface"], refusals(told)) == ("eth0", [])
    assert told.values["vips"] == [{"address": "10.0.0.1", "prefix": 24, "preferred": "haproxy-01"}]


@pytest.mark.parametrize(
    ("haresources", "said"),
    [
        ("haproxy-01 192.168.7.1", "no interface of this server reaches it"),
        ("haproxy-01 10.0.0.1/24/eth7", "interface eth7 has no IPv4 address"),
        (
            "haproxy-01 10.0.0.1/24/eth0 10.100.100.1/24/eth1",
            "all addresses stand on one interface",
        ),
    ],
)
def test_an_address_that_cannot_be_borne_is_refused(haresources: str, said: str) -> None:
    told = refusals(read(replace(FILES, haresources=haresources), ONE))
    assert any(said in one for one in told)


def test_a_virtual_address_that_is_held_is_not_taken_for_the_servers_own() -> None:
    held = replace(
        ONE, bearings=(Bearing("eth0", "10.0.0.1", 24), LAN), hosts={"haproxy-02": ("10.0.0.3",)}
    )
    assert read(FILES, held).values["address"] == "10.0.0.2"


def test_scripts_become_hooks() -> None:
    files = replace(FILES, haresources="haproxy-01 10.0.0.1 httpd MailTo::me::moved\n")
    server = replace(ONE, scripts={"httpd": "/etc/init.d/httpd", "MailTo": "/r/MailTo"})

    values = read(files, server).values

    assert values["on_acquire"] == [
        ["/etc/init.d/httpd", "start"],
        ["/r/MailTo", "me", "moved", "start"],
    ]
    assert values["on_release"] == [
        ["/r/MailTo", "me", "moved", "stop"],
        ["/etc/init.d/httpd", "stop"],
    ]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    files = Files("crm on\nnode a b\n", "auth 1\n1 crc\n", 0o100644, "c 10.0.0.1 nothing\n")

    told = read(files, replace(ONE, hosts={}))

    assert {(fate.file, fate.kind) for fate in told.refusals} == {
        ("ha.cf", Kind.REFUSED),
        ("authkeys", Kind.REFUSED),
        ("haresources", Kind.REFUSED),
    }
