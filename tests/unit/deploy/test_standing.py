"""What an apply reads of the daemon's own status: by which list the server votes."""

import json

from stillup.deploy.standing import heartbeat
from stillup.heartbeat.changing import Side
from stillup.heartbeat.known import Status
from stillup.heartbeat.lateness import Lateness
from stillup.heartbeat.report import History, seat, status
from stillup.heartbeat.settings import parse

SETTINGS = {
    "farm": "shop",
    "name": "lb1",
    "key_file": "/etc/stillup/heartbeat.key",
    "port": 6940,
    "lease_ms": 500,
    "candidates": ["lb2", "lb1"],
    "voters": {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"},
    "vips": [{"address": "10.0.0.1", "prefix": 24, "preferred": None}],
    "address": "10.0.0.2",
    "interface": "eth0",
    "watch": None,
}
RESTING = Status("lb2", False, None, 0.0, "resting", True, "", 0.0, 0.0)  # noqa: FBT003


def test_the_daemons_status_tells_who_votes_and_who_stands() -> None:
    settings = parse(json.dumps(SETTINGS).encode(), "s.json")
    told = seat(settings.vips[0], RESTING, History(0.0), 0.0)

    read = heartbeat(dict(status(settings, [RESTING], {"10.0.0.1": told}, Lateness())))

    assert read is not None
    assert read.side == Side(
        {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"}, ("lb2", "lb1"), 0.5
    )
