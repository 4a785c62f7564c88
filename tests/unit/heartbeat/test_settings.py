"""The daemon's settings: read, or refused with every problem and the way out."""

import json
from pathlib import Path

import pytest

from stillup.errors import InputRefused
from stillup.heartbeat.settings import (
    DaemonSettings,
    Vip,
    Watch,
    load,
    parse,
)
from stillup.heartbeat.settings_reader import Json


def good() -> dict[str, Json]:
    return {
        "farm": "shop",
        "name": "lb1",
        "key_file": "/etc/stillup/heartbeat.key",
        "port": 6940,
        "lease_ms": 500,
        "candidates": ["lb1", "lb2"],
        "voters": {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"},
        "vips": [{"address": "10.0.0.1", "prefix": 24, "preferred": "lb1"}],
        "address": "10.0.0.2",
        "interface": "eth0",
        "watch": {"unit": "haproxy.service", "check": "http://127.0.0.1:8405/alive"},
    }


def problems(values: Json) -> list[str]:
    with pytest.raises(InputRefused) as refused:
        parse(json.dumps(values).encode(), "s.json")
    return [line.removeprefix("s.json: ") for line in str(refused.value).splitlines()]


def test_good_settings_are_read() -> None:
    assert parse(json.dumps(good()).encode(), "s.json") == DaemonSettings(
        farm="shop",
        name="lb1",
        key_file="/etc/stillup/heartbeat.key",
        port=6940,
        lease_s=0.5,
        candidates=("lb1", "lb2"),
        voters={"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"},
        vips=(Vip("10.0.0.1", 24, "lb1"),),
        address="10.0.0.2",
        interface="eth0",
        watch=Watch("haproxy.service", None, "127.0.0.1", 8405, "/alive"),
    )


def test_several_virtual_ips_are_read_in_their_shortest_spelling() -> None:
    values = good() | {"vips": [{"address": "10.0.0.1"}, {"address": "FD00:10:0::0001"}]}

    settings = parse(json.dumps(values).encode(), "s.json")

    assert settings.vips == (Vip("10.0.0.1", 32, None), Vip("fd00:10::1", 128, None))


def test_a_voter_watches_nothing_and_is_no_candidate() -> None:
    values = good() | {"name": "web1", "address": "10.0.0.4", "watch": None}

    settings = parse(json.dumps(values).encode(), "s.json")

    assert settings.watch is None
    assert not settings.is_candidate


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": ""}, "name: must be a text that is not empty"),
        ({"name": "web9"}, "name: web9 is not in voters with the address 10.0.0.2"),
        ({"address": "10.0.0.9"}, "name: lb1 is not in voters with the address 10.0.0.9"),
        ({"address": "ten"}, "address: ten is not an IPv4 address"),
        ({"port": 0}, "port: must be a whole number from 1 to 65535"),
        ({"port": True}, "port: must be a whole number from 1 to 65535"),
        ({"lease_ms": 99}, "lease_ms: must be a whole number from 100 to 10000"),
        ({"candidates": []}, "candidates: must be a list of different names"),
        ({"candidates": ["lb1", "lb1"]}, "candidates: must be a list of different names"),
        ({"candidates": ["lb1", "lb3"]}, "candidates: lb3 is not in voters"),
        ({"voters": {}}, "voters: must give each server's address by its name"),
        ({"voters": {"lb1": "x"}}, "voters.lb1: x is not an IPv4 address"),
        ({"failback": "no"}, "failback: must be true or false"),
        (
            {"voters": {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "w" * 64: "10.0.0.4"}},
            f"voters: the name {'w' * 64} is longer than 63 bytes",
        ),
        (
            {"voters": {"lb2": "10.0.0.3"} | {f"w{n}": f"10.1.0.{n}" for n in range(250)}},
            "voters: 251 servers are more than the 250 that a daemon can listen to",
        ),
        ({"vips": []}, "vips: must list 1 to 64 virtual IPs"),
        ({"vips": [{"address": "10.1.0.1"}] * 65}, "vips: must list 1 to 64 virtual IPs"),
        ({"vips": ["10.0.0.1"]}, "vips[0]: must be an object with an address"),
        ({"vips": [{"address": "x"}]}, "vips[0].address: x is not an IP address"),
        *(
            (
                {"vips": [{"address": address}]},
                f"vips[0].address: {address} is no address that one server can have",
            )
            for address in (
                "127.0.0.1",
                "0.0.0.0",
                "224.0.0.18",
                "255.255.255.255",
                "::",
                "ff02::1",
            )
        ),
        (
            {"vips": [{"address": "fe80::1%eth0"}]},
            "vips[0].address: fe80::1%eth0 is not an IP address",
        ),
        (
            {"vips": [{"address": "fd00::1"}, {"address": "fd00:0::1"}]},
            "vips[1].address: fd00::1 is listed twice",
        ),
        (
            {"vips": [{"address": "fd00::1", "prefix": 129}]},
            "vips[0].prefix: must be a whole number from 1 to 128",
        ),
        (
            {"vips": [{"address": "10.0.0.3"}]},
            "vips[0].address: 10.0.0.3 is a server's own address",
        ),
        (
            {"vips": [{"address": "10.0.0.1", "preferred": "web1"}]},
            "vips[0].preferred: web1 is not in candidates",
        ),
        (
            {"vips": [{"address": "10.0.0.1", "prefix": 33}]},
            "vips[0].prefix: must be a whole number from 1 to 32",
        ),
        ({"watch": 1}, "watch: must be an object, or null to watch nothing"),
        (
            {"watch": {"check": "http://127.0.0.1/"}},
            "watch.unit: name the systemd unit to watch, or a pid_file",
        ),
        (
            {"watch": {"unit": "a", "check": "https://localhost/"}},
            "watch.check: https://localhost/ is not like http://127.0.0.1:8405/alive",
        ),
        (
            {"watch": {"unit": "a", "check": "http://127.0.0.1:99999/"}},
            "watch.check: http://127.0.0.1:99999/ is not like http://127.0.0.1:8405/alive",
        ),
        ({"interfcae": "eth0"}, "interfcae: there is no such setting"),
    ],
)
def test_a_wrong_setting_is_named(changed: dict[str, Json], problem: str) -> None:
    assert problem in problems(good() | changed)


@pytest.mark.parametrize("key", [key for key in good() if key not in ("port", "lease_ms", "watch")])
def test_a_missing_setting_is_named(key: str) -> None:
    values = good()
    del values[key]

    assert any(problem.startswith(f"{key}:") for problem in problems(values))


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(good() | {"port": 0, "lease_ms": 0, "interface": 7})) == 3


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"7"])
def test_what_is_no_json_object_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InputRefused, match=r"s\.json: (this is not JSON|the settings must be)"):
        parse(data, "s.json")


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read: No such file"):
        load(tmp_path / "none.json")
