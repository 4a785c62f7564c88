"""Gluster's own words, as version 11.1 wrote them, and the settings, and what is on the disk."""

import json
from pathlib import Path

import pytest

from stillup.errors import InputRefused
from stillup.keeper import storage_answers as answers
from stillup.keeper import storage_mount, storage_seed, storage_settings
from stillup.keeper.storage_seen import Brick, Volume

STATE = """\
[Global]
MYUUID: 67073eed-f57d-56d9-8782-704cd33325ea
op-version: 110000

[Peers]
Peer1.primary_hostname: 10.77.0.13
Peer1.uuid: bf0d8675-945e-5cb3-89bd-ea613fdd9ff3
Peer1.state: Peer in Cluster
Peer1.connected: Connected
Peer1.othernames:
Peer2.primary_hostname: 10.77.0.12
Peer2.uuid: ecd8d2e8-414d-548c-9d71-f21e920d27c7
Peer2.state: Peer in Cluster
Peer2.connected: Disconnected
Peer2.othernames:

[Volumes]
Volume1.name: stillup
Volume1.id: dcdb3907-5831-4619-ab90-d3e007a86580
Volume1.status: Started
Volume1.brickcount: 3
Volume1.Brick1.path: 10.77.0.11:/srv/stillup/brick/data
Volume1.Brick1.hostname: 10.77.0.11
Volume1.Brick1.port: 49197
Volume1.Brick1.status: {brick}
Volume1.Brick2.path: 10.77.0.12:/srv/stillup/brick/data
Volume1.Brick2.hostname: 10.77.0.12
Volume1.Brick3.path: 10.77.0.13:/srv/stillup/brick/data
Volume1.Brick3.hostname: 10.77.0.13
Volume1.replica_count: 3
Volume1.arbiter_count: 1
Volume1.options.network.ping-timeout: 3
Volume1.options.auth.allow: 10.77.0.14

[Misc]
Base port: 49152
"""
BRICKS = (Brick("10.77.0.11"), Brick("10.77.0.12"), Brick("10.77.0.13", is_arbiter=True))
GIVEN = {
    "farm": "shop",
    "name": "data1",
    "members": {"data1": "10.0.0.6", "data2": "10.0.0.7", "web2": "10.0.0.5"},
    "arbiter": "web2",
    "clients": ["10.0.0.4", "10.0.0.5"],
}


@pytest.mark.parametrize(("word", "runs"), [("Started", True), ("Stopped", False)])
def test_the_state_of_a_pool(word: str, runs: bool) -> None:  # noqa: FBT001
    assert answers.pool(STATE.format(brick=word)) == answers.Pool(
        connected=frozenset({"10.77.0.13"}),
        known=frozenset({"10.77.0.12", "10.77.0.13"}),
        volume=Volume(
            BRICKS,
            id="dcdb3907-5831-4619-ab90-d3e007a86580",
            options={"network.ping-timeout": "3", "auth.allow": "10.77.0.14"},
        ),
        runs=runs,
    )


def test_a_pool_without_a_volume() -> None:
    nobody = answers.Pool(frozenset(), frozenset(), None, runs=False)
    assert answers.pool("[Peers]\n\n[Volumes]\n") == nobody


@pytest.mark.parametrize(("status", "expected"), [("1", True), ("0", False)])
def test_whether_every_brick_runs(status: str, expected: bool) -> None:  # noqa: FBT001
    nodes = "".join(
        f"<node><hostname>{brick.address}</hostname><path>/srv/stillup/brick/data</path>"
        f"<status>{status if brick.is_arbiter else 1}</status></node>"
        for brick in BRICKS
    )
    assert answers.all_run(f"<cliOutput>{nodes}</cliOutput>", Volume(BRICKS)) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Brick a:/b\nNumber of entries: 7\n\nBrick c:/b\nNumber of entries: 0\n", 7),
        ("Brick a:/b\nNumber of entries: 0\n\nBrick c:/b\nNumber of entries: -\n", None),
        ("Locking failed on 10.77.0.11.", None),
    ],
)
def test_how_many_files_are_behind(told: str, expected: int | None) -> None:
    assert answers.behind(told) == expected


def test_the_files_that_are_behind() -> None:
    told = "Brick a:/b\n/a 1\n/f \nStatus: Connected\n\nBrick c:/b\n/f\n<gfid:12>\n"
    assert answers.entries(told) == ["/a 1", "/f"]


def test_the_settings_name_everybody() -> None:
    settings = storage_settings.read_settings(json.dumps(GIVEN))
    assert [(m.name, m.address, m.is_arbiter) for m in settings.members] == [
        ("data1", "10.0.0.6", False),
        ("data2", "10.0.0.7", False),
        ("web2", "10.0.0.5", True),
    ]
    assert settings.options["auth.allow"] == "10.0.0.4,10.0.0.5"


@pytest.mark.parametrize(
    "wrong", [{"name": "other"}, {"arbiter": "lb1"}, {"members": {}}, {"clients": ["everybody"]}]
)
def test_settings_that_are_not_sound(wrong: dict[str, object]) -> None:
    with pytest.raises(InputRefused, match=r"/etc/stillup/storage\.json: "):
        storage_settings.read_settings(json.dumps(GIVEN | wrong))


def test_a_server_that_comes_back_empty_is_who_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = storage_settings.read_settings(json.dumps(GIVEN))
    monkeypatch.setattr(storage_seed, "_version", lambda: 110000)
    written = []
    for life in ("first", "second"):
        root, brick = tmp_path / life, tmp_path / f"{life}-brick"
        storage_seed.seed(settings, root, brick)
        assert brick.is_dir()
        written.append({p.name: p.read_text() for p in root.rglob("*") if p.is_file()})
    assert written[0] == written[1]
    ours = [m.uuid for m in settings.members]
    assert set(written[0]) == {"glusterd.info", *ours[1:]}
    assert written[0]["glusterd.info"] == f"UUID={ours[0]}\noperating-version=110000\n"
    assert written[0][ours[2]] == f"uuid={ours[2]}\nstate=3\nhostname1=10.0.0.5\n"


def test_what_gluster_wrote_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = storage_settings.read_settings(json.dumps(GIVEN))
    monkeypatch.setattr(storage_seed, "_version", lambda: 110000)
    (tmp_path / "glusterd.info").write_text("UUID=1\noperating-version=100000\n")
    storage_seed.seed(settings, tmp_path, tmp_path / "brick")
    assert (tmp_path / "glusterd.info").read_text() == "UUID=1\noperating-version=100000\n"


def test_a_release_of_gluster_by_its_number() -> None:
    assert storage_seed.operating_version("glusterfs 11.1\nRepository revision: git") == 110000


def test_a_server_that_answers_is_asked_first() -> None:
    assert storage_mount.ordered(("a", "b", "c"), {"c", "b"}) == ["b", "c", "a"]


def test_the_settings_of_a_mount() -> None:
    read = storage_mount.read_settings('{"mount": "/srv/shared", "servers": ["10.0.0.6"]}')
    assert read == storage_mount.SharedSettings("/srv/shared", ("10.0.0.6",))
    with pytest.raises(InputRefused, match="mount"):
        storage_mount.read_settings('{"mount": "shared", "servers": []}')


SUMMARY = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<cliOutput><healInfo><bricks>
<brick hostUuid="05ce1e52-c501-53f1-b9ad-7c4eaee203ff"><name>10.0.0.6:/srv/stillup/brick/data</name>
<status>Connected</status><totalNumberOfEntries>{total}</totalNumberOfEntries>
<numberOfEntriesInHealPending>{pending}</numberOfEntriesInHealPending>
<numberOfEntriesInSplitBrain>0</numberOfEntriesInSplitBrain>
<numberOfEntriesPossiblyHealing>0</numberOfEntriesPossiblyHealing></brick>
</bricks></healInfo><opRet>0</opRet></cliOutput>
"""


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (SUMMARY.format(total=0, pending=0), 0),
        (SUMMARY.format(total=3, pending=2), 2),
        (SUMMARY.format(total=1, pending=0), 0),
        (SUMMARY.format(total="-", pending="-"), None),
        ("<cliOutput><opRet>-1</opRet></cliOutput>", None),
        ("Error : Request timed out", None),
    ],
)
def test_what_the_copies_differ_in_is_known_only_where_every_brick_told(
    summary: str, expected: int | None
) -> None:
    assert answers.differing(summary) == expected
