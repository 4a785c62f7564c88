"""What Prometheus reads of a daemon's status."""

import re

from stillup.heartbeat.metrics import text
from stillup.heartbeat.settings_reader import Json

STATUS: dict[str, Json] = {
    "farm": 'the "farm"',
    "name": "lb1",
    "version": "1.0",
    "lease_ms": 500,
    "healthy": True,
    "silent_s": 0.0,
    "lateness_ms": {"max": 4.7, "recent": 0.2},
    "warnings": ["one"],
    "datagrams": {
        "sent": 12,
        "received": 11,
        "floods": 0,
        "refused": {"bad signature": 3},
        "unsent": {},
    },
    "voters": {"lb2": {"heard_ms": 90}, "db1": {"heard_ms": None}},
    "vips": [
        {
            "address": "10.0.0.1",
            "holder": "lb1",
            "holding": True,
            "lease_left_ms": 480,
            "votes": ["lb1", "lb2"],
            "moves_seen": 2,
            "kernel": {"left_ms": 460, "late_renewals": 1, "announcements": 24},
        },
        {"address": "10.0.0.7", "holder": None, "holding": False, "lease_left_ms": 0, "votes": []},
    ],
}
SAMPLE = re.compile(
    r'(?P<name>[a-z_]+)(\{(?P<labels>[a-z_]+="([^"\\]|\\["\\n])*"(,[a-z_]+="([^"\\]|\\["\\n])*")*)\})? '
    r"(?P<value>-?[0-9.e+-]+)"
)


def samples() -> dict[str, float]:
    """Read the text as Prometheus does: each sample below the type of its metric."""
    found: dict[str, float] = {}
    named = kind = ""
    for line in text(STATUS).splitlines():
        if line.startswith("# TYPE "):
            _, _, named, kind = line.split()
        elif not line.startswith("# HELP "):
            read = SAMPLE.fullmatch(line)
            assert read is not None, line
            assert read["name"] == named
            assert (kind == "counter") == named.endswith("_total")
            found[line.rpartition(" ")[0]] = float(read["value"])
    return found


def test_every_sample_can_be_read() -> None:
    found = samples()
    prefix = "stillup_heartbeat_"
    assert found[f'{prefix}info{{farm="the \\"farm\\"",name="lb1",version="1.0"}}'] == 1
    assert found[f"{prefix}lease_seconds"] == 0.5
    assert found[f"{prefix}lateness_recent_seconds"] == 0.0002
    assert found[f'{prefix}datagrams_refused_total{{reason="bad signature"}}'] == 3
    assert found[f'{prefix}voter_silence_seconds{{voter="lb2"}}'] == 0.09
    assert found[f'{prefix}holding{{address="10.0.0.1"}}'] == 1
    assert found[f'{prefix}holding{{address="10.0.0.7"}}'] == 0
    assert found[f'{prefix}holder_known{{address="10.0.0.7"}}'] == 0
    assert found[f'{prefix}kernel_lease_left_seconds{{address="10.0.0.1"}}'] == 0.46


def test_what_is_not_known_is_no_sample() -> None:
    assert not [name for name in samples() if "db1" in name]
    assert not [name for name in samples() if "kernel" in name and "10.0.0.7" in name]


def test_a_metric_without_a_sample_is_not_named() -> None:
    assert "unsent" not in text(STATUS)
