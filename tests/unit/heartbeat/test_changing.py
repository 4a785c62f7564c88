"""The settings of a farm that is being changed."""

import json
from pathlib import Path

import pytest

from stillup.errors import InputRefused
from stillup.heartbeat import settings
from stillup.heartbeat.changing import Stage
from stillup.heartbeat.settings_reader import Json

OLD: dict[str, Json] = {
    "voters": {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "web1": "10.0.0.4"},
    "candidates": ["lb1", "lb2"],
    "lease_ms": 500,
}
NEW: dict[str, Json] = {
    "voters": {"lb1": "10.0.0.2", "lb3": "10.0.0.5", "web1": "10.0.0.4"},
    "candidates": ["lb1", "lb3"],
    "lease_ms": 300,
}


def values(stage: str | None, name: str = "lb1", address: str = "10.0.0.2") -> dict[str, Json]:
    told: dict[str, Json] = {
        "farm": "shop",
        "name": name,
        "key_file": "/etc/key",
        **NEW,
        "vips": [{"address": "10.0.0.1", "prefix": 24}],
        "address": address,
        "interface": "eth0",
    }
    return told if stage is None else {**told, "change": {"stage": stage, "old": OLD, "new": NEW}}


def read(stage: str | None) -> settings.DaemonSettings:
    return settings.parse(json.dumps(values(stage)).encode(), "heartbeat.json")


def test_each_stage_believes_the_ones_next_to_it() -> None:
    plain = read(None).configuration
    at = {stage: read(stage.value).configuration for stage in Stage}

    assert at[Stage.BEFORE].electorate.voters == ("lb1", "lb2", "web1")
    assert at[Stage.JOINT].predecessor == at[Stage.BEFORE].fingerprint
    assert at[Stage.JOINT].fingerprint == at[Stage.SETTLED].fingerprint
    assert at[Stage.SETTLED].predecessor != at[Stage.BEFORE].fingerprint
    assert at[Stage.AFTER].predecessor == at[Stage.SETTLED].fingerprint
    assert at[Stage.AFTER].fingerprint == plain.fingerprint
    assert at[Stage.JOINT].electorate.shortest_s == 0.3
    assert at[Stage.JOINT].electorate.longest_s == 0.5


def test_the_change_outweighs_the_settings_and_names_everybody_while_it_is_joint() -> None:
    assert sorted(read("before").voters) == ["lb1", "lb2", "web1"]
    assert sorted(read("joint").voters) == ["lb1", "lb2", "lb3", "web1"]
    assert sorted(read("joint").candidates) == ["lb1", "lb2", "lb3"]
    assert sorted(read("after").voters) == ["lb1", "lb3", "web1"]


def test_the_file_beside_the_settings_is_the_change(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.json"
    path.write_text(json.dumps(values(None)))
    beside = tmp_path / "heartbeat.change.json"

    assert settings.load(path).change is None
    beside.write_text("{}")
    assert settings.load(path).change is None
    beside.write_text(json.dumps({"stage": "joint", "old": OLD, "new": NEW}))
    change = settings.load(path).change
    assert change is not None
    assert change.stage is Stage.JOINT
    beside.write_text("{")
    with pytest.raises(InputRefused, match="not JSON"):
        settings.load(path)


def test_what_is_wrong_with_a_change_is_told() -> None:
    wrong = values("joint")
    old: dict[str, Json] = {**OLD, "witness": "the router"}
    wrong["change"] = {"stage": "soon", "old": old, "new": []}
    with pytest.raises(InputRefused) as refused:
        settings.parse(json.dumps(wrong).encode(), "heartbeat.json")
    told = str(refused.value)
    assert "change.stage: must be one of before, joint, settled, after" in told
    assert "change.new: must be an object" in told
    assert "change.old.witness: the router is not an IP address" in told


def test_a_change_that_leaves_nobody_to_hold_is_refused() -> None:
    wrong = values("joint")
    new: dict[str, Json] = {**NEW, "candidates": ["lb3"]}
    old: dict[str, Json] = {**OLD, "candidates": ["lb2"]}
    wrong["change"] = {"stage": "joint", "old": old, "new": new}
    with pytest.raises(InputRefused, match="nobody is a candidate before and after"):
        settings.parse(json.dumps(wrong).encode(), "heartbeat.json")
