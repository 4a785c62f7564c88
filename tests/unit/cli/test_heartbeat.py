"""``stillup heartbeat``: which word, which file, what it tells. The daemon itself: tests/netns."""

import json
from pathlib import Path

import pytest

from stillup.cli.heartbeat_view import shown_status
from stillup.cli.main import run

ROOT = Path(__file__).resolve().parents[3]
LOOPBACK = """\
name = "lb1"
candidates = ["lb1"]
voters = { lb1 = "127.0.0.1" }
vips = ["192.0.2.9/32"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings of this machine, with their key."""
    file = tmp_path / "heartbeat.toml"
    file.write_text(LOOPBACK)
    key = tmp_path / "heartbeat.key"
    key.touch(0o600)
    key.write_text("a key for these tests only\n")
    return file


def test_check_says_what_the_settings_say(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["heartbeat", "check", str(settings)]) == 0

    told = capsys.readouterr().out
    assert f"{settings}: the settings of lb1 are right" in told
    assert "127.0.0.1 on lo; may hold them" in told
    assert "watched: nothing but the network" in told


def test_check_of_ha_d_tells_each_lines_fate_and_what_keeps_it_from_starting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # On this machine, which is neither of the recipe's two servers.
    assert run(["heartbeat", "check", str(ROOT / "examples/ha.d")]) == 2

    told = capsys.readouterr().out
    assert "2  loglife /var/log/ha-log" in told
    assert "is a misspelling of logfile" in told
    assert "and no node line names it" in told
    assert "the daemon does not start with what is refused above" in told
    assert "password" not in told


def test_the_fates_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["heartbeat", "check", str(ROOT / "examples/ha.d"), "--json"]) == 2

    told = json.loads(capsys.readouterr().out)
    assert told["sound"] is False
    assert {line["kind"] for line in told["lines"]} >= {"honoured", "translated", "refused"}


def test_the_daemon_does_not_start_with_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["heartbeat", str(ROOT / "examples/ha.d")]) == 2
    assert "and no node line names it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], 'there is no file "statsu"; did you mean status?'),
        (["check", "/nowhere.toml"], "/nowhere.toml: the settings cannot be read: No such file"),
        (["status", "lb1"], '"lb1" is one word too many'),
        (["check", "a", "b"], '"b" is one word too many'),
    ],
)
def test_wrong_words_are_refused_in_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["heartbeat", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_daemon_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["heartbeat", "status", "--control", str(tmp_path / "none")]) == 1
    assert "is it running?" in capsys.readouterr().err


def test_the_status_in_words() -> None:
    told = shown_status(
        {
            "name": "lb1",
            "candidate": True,
            "healthy": True,
            "reason": "haproxy answers",
            "lease_ms": 500,
            "vips": [
                {
                    "address": "10.0.0.1",
                    "holder": "lb1",
                    "since_s": 3.5,
                    "votes": ["lb1", "db1"],
                    "moves": [],
                },
                {"address": "10.0.0.9", "holder": None, "since_s": 1.0, "votes": [], "moves": []},
            ],
            "voters": {
                "db1": {"address": "10.0.0.4", "heard_ms": 40},
                "lb2": {"address": "10.0.0.3", "heard_ms": None},
            },
            "lateness_ms": {"max": 2.5, "recent": 0.1},
        }
    )

    assert told.splitlines() == [
        "lb1: fit (haproxy answers); lease 500 ms",
        "10.0.0.1: held by lb1 (this server) for 3.5 s, by the votes of lb1 and db1",
        "10.0.0.9: held by nobody for 1.0 s",
        "db1 (10.0.0.4): heard 40 ms ago",
        "lb2 (10.0.0.3): never heard",
        "this daemon ran at most 2.5 ms late, 0.1 ms lately",
    ]
