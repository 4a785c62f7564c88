"""Where the daemon finds its settings and keys: at a start, and as a successor."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillup.errors import InputRefused
from stillup.heartbeat.__main__ import given
from stillup.heartbeat.settings_reader import Json
from stillup.heartbeat.succession import Heir


def told(lease_ms: int) -> str:
    values: dict[str, Json] = {
        "farm": "shop",
        "name": "lb1",
        "key_file": "/etc/stillup/heartbeat.key",
        "lease_ms": lease_ms,
        "candidates": ["lb1"],
        "voters": {"lb1": "10.0.0.2"},
        "vips": [{"address": "10.0.0.1"}],
        "address": "10.0.0.2",
        "interface": "eth0",
    }
    return json.dumps(values)


@pytest.fixture
def at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd copied when the service began: a lease of 500 ms."""
    (tmp_path / "heartbeat.json").write_text(told(500))
    (tmp_path / "heartbeat.key").write_text("a key of the service's start\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))


@pytest.fixture
def channel() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


CONFIG = Path("/etc/stillup/heartbeat.json")


def test_at_a_start_systemds_copies_are_taken(at_the_start: None) -> None:
    settings, keys = given(CONFIG, None)
    assert settings.lease_s == 0.5
    assert list(keys.values()) == [b"a key of the service's start"]


def test_a_successor_takes_what_it_is_given(
    at_the_start: None, channel: socket.socket, tmp_path: Path
) -> None:
    newer, key = tmp_path / "newer.json", tmp_path / "newer.key"
    newer.write_text(told(300))
    key.write_text("a key of today, that is\n")
    with newer.open("rb") as one, key.open("rb") as other:
        descriptors = [socket.dup(file.fileno()) for file in (one, other)]
    settings, keys = given(CONFIG, Heir(channel, descriptors))
    assert settings.lease_s == 0.3
    assert list(keys.values()) == [b"a key of today, that is"]


def test_a_successor_does_not_go_back_to_what_was_true_at_the_start(
    at_the_start: None, channel: socket.socket
) -> None:
    """Two servers that vote by a list of long ago could hold beside those who vote by today's."""
    with pytest.raises(InputRefused, match="systemctl reload stillup-heartbeat"):
        given(CONFIG, Heir(channel, []))
