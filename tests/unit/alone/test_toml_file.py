"""The heartbeat's own TOML: what it says, what may be left out, what is wrong with it."""

import json
from pathlib import Path

import pytest

from stillup.alone.server import Bearing, Server
from stillup.alone.toml_file import read
from stillup.errors import InputRefused
from stillup.heartbeat.settings import DaemonSettings, parse

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/heartbeat.toml"
SERVER = Server("lb1", (Bearing("eth0", "10.0.0.2", 24),))
LEAST = """\
candidates = ["lb1", "lb2"]
voters = { lb1 = "10.0.0.2", lb2 = "10.0.0.3", db1 = "10.0.0.4" }
vips = ["10.0.0.1/24"]
"""


def told(text: str, server: Server = SERVER) -> DaemonSettings:
    return read(text.encode(), "/etc/stillup/heartbeat.toml", server)


def problems(text: str, server: Server = SERVER) -> list[str]:
    with pytest.raises(InputRefused) as refused:
        told(text, server)
    lines = str(refused.value).splitlines()
    return [line.removeprefix("/etc/stillup/heartbeat.toml:") for line in lines]


def test_the_example_says_what_the_json_would() -> None:
    values = {
        "farm": "heartbeat",
        "name": "lb1",
        "key_file": "examples/heartbeat.key",
        "lease_ms": 500,
        "candidates": ["lb1", "lb2"],
        "voters": {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "db1": "10.0.0.4"},
        "vips": [{"address": "10.0.0.1", "prefix": 24, "preferred": "lb1"}],
        "address": "10.0.0.2",
        "interface": "eth0",
        "watch": {
            "unit": "haproxy.service",
            "pid_file": "/run/haproxy.pid",
            "check": "http://127.0.0.1:8405/alive",
        },
    }

    settings = read(EXAMPLE.read_bytes(), "examples/heartbeat.toml", SERVER)

    assert settings == parse(json.dumps(values).encode(), "heartbeat.json")


def test_three_lines_are_enough() -> None:
    settings = told(LEAST)

    assert (settings.name, settings.address, settings.interface) == ("lb1", "10.0.0.2", "eth0")
    assert (settings.vips[0].address, settings.vips[0].prefix) == ("10.0.0.1", 24)
    assert settings.lease_s == 0.5
    assert settings.key_file == "/etc/stillup/heartbeat.key"


def test_what_is_said_goes_before_what_is_known() -> None:
    settings = told('name = "lb2"\ninterface = "eth9"\nlease = "1.5s"\nkey = "/k"\n' + LEAST)

    assert (settings.name, settings.address, settings.interface) == ("lb2", "10.0.0.3", "eth9")
    assert (settings.lease_s, settings.key_file) == (1.5, "/k")


def test_an_ipv6_address_of_which_somebody_is_preferred() -> None:
    text = LEAST.replace('"10.0.0.1/24"', '{ address = "fd00::1/64", preferred = "lb2" }')
    (vip,) = told(text).vips
    assert (vip.address, vip.prefix, vip.preferred) == ("fd00::1", 64, "lb2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"lease = 500\n{LEAST}", '1: lease: 500 has no unit; write a text with one, as "500ms"'),
        (f'\nlease = "50ms"\n{LEAST}', '2: lease: "50ms" is out of range; it may be 100ms to 10s'),
        (f'lease = "soon"\n{LEAST}', '1: lease: "soon" is not a duration'),
        (f'{LEAST}leese = "1s"\n', "4: leese: there is no such key; did you mean lease?"),
        (f'{LEAST}lease_ms = 500\nlease = "1s"\nport = 0\n', "6: port: must be a whole number"),
        (LEAST.replace("10.0.0.3", "10.0.0"), "2: voters.lb2: 10.0.0 is not an IPv4 address"),
        (LEAST.replace("/24", "/99"), "3: vips[0].prefix: must be a whole number from 1 to 32"),
        (LEAST.replace("/24", "/x"), "3: vips[0].prefix: must be a whole number from 1 to 32"),
        (LEAST + "name = 3\n", "4: name: must be a text that is not empty"),
        (LEAST + "key = 3\n", "4: key: must be a text that is not empty"),
        (LEAST + '[watch]\ncheck = "http://x/"\n', "watch.unit: name the systemd unit to watch"),
        ("vips = [\n1", "1: the bracket that opens here is not closed"),
        (LEAST + "port = 1\nport = 2\n", "5: port: is given twice, first on line 4"),
        ("", " is empty; docs/heartbeat-alone.md has one to start from"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    assert any(line.startswith(said) or said in line for line in problems(text)), problems(text)


def test_everything_at_once_in_order() -> None:
    lines = problems('lease = "1h"\nport = "x"\n' + LEAST.replace('"lb2"]', '"lb9"]') + "zzz = 1\n")

    assert lines[0] == "3 problems in /etc/stillup/heartbeat.toml"
    assert [line.split(":")[0] for line in lines[1:]] == ["1", "2", "6"]


def test_a_server_that_is_not_among_the_voters() -> None:
    (_, told_) = problems(LEAST, Server("web1", SERVER.bearings))
    assert told_.startswith(
        "1: name: this server is called web1 (uname -n), which is not in voters"
    )


def test_a_server_without_its_address() -> None:
    (_, told_) = problems(LEAST, Server("lb1", ()))
    assert told_.startswith("1: interface: no interface of this server has the address 10.0.0.2")
