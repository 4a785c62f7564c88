"""The daemon's status with several addresses: all of each, and one for who knows of one only."""

from dataclasses import replace

from stillup.heartbeat.known import Status
from stillup.heartbeat.lateness import Lateness
from stillup.heartbeat.report import MOVES, History, Move, seat, status
from stillup.heartbeat.settings import DaemonSettings, Vip

VIPS = (Vip("10.0.0.1", 24, "lb1"), Vip("fd00:10::1", 64, "lb2"))
SETTINGS = DaemonSettings(
    farm="shop",
    name="lb1",
    key_file="k",
    port=6940,
    lease_s=0.5,
    candidates=("lb1", "lb2"),
    voters={"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"},
    vips=VIPS,
    address="10.0.0.2",
    interface="eth0",
    watch=None,
)
HELD = Status(
    holder="lb1",
    holding=True,
    ballot=None,
    left_s=0.4,
    phase="resting",
    healthy=True,
    reason="",
    yielding_s=0.0,
    silent_s=0.0,
    heard_s={"lb2": 0.3},
    votes=("lb1", "web1"),
)
ANOTHERS = replace(
    HELD,
    holder="lb2",
    holding=False,
    yielding_s=4.0,
    silent_s=0.2,
    heard_s={"lb2": 0.1, "web1": 0.05},
    votes=(),
)


def history(*at: float) -> History:
    made = History(0.0)
    for each in at:
        made.add(Move(each, "lb1", None, "it has enough votes"), each)
    return made


def told(first: History, second: History) -> dict[str, object]:
    seats = {
        vip.address: seat(vip, node, moves, 100.0)
        for vip, node, moves in zip(VIPS, (HELD, ANOTHERS), (first, second), strict=True)
    }
    return dict(status(SETTINGS, [HELD, ANOTHERS], seats, Lateness()))


def test_what_stands_beside_the_addresses_is_of_all_of_them_or_of_the_first() -> None:
    said = told(history(90.0), history(95.0))

    assert said["holder"] == {"10.0.0.1": "lb1", "fd00:10::1": "lb2"}
    assert said["holding"] == ["10.0.0.1"]
    assert (said["yielding_s"], said["silent_s"]) == (4.0, 0.2)
    assert (said["since_s"], said["votes"]) == (10.0, ["lb1", "web1"])
    assert said["voters"] == {
        "lb2": {"address": "10.0.0.3", "heard_ms": 100, "votes": False},
        "web1": {"address": "10.0.0.4", "heard_ms": 50, "votes": True},
    }


def test_the_moves_of_all_are_in_order_of_time_and_the_last_of_them() -> None:
    said = told(history(1.0, 3.0), history(*(2.0 + number for number in range(MOVES))))

    moves = said["moves"]
    assert isinstance(moves, list)
    assert len(moves) == MOVES
    assert moves[0] == {
        "at": 3.0,
        "holder": "lb1",
        "ballot": None,
        "reason": "it has enough votes",
        "address": "10.0.0.1",
    }
    assert [move["at"] for move in moves] == sorted(move["at"] for move in moves)
