"""A daemon is replaced while it holds, votes and is asked: nothing moves, nothing is missed."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.asker import latest_s, longest_outage_s
from tests.netns.farm import SERVERS, Farm, end, run, wait_for
from tests.wire import overlaps, turns

from stillup.errors import ServerFailed
from stillup.heartbeat.control import ask
from stillup.heartbeat.settings_reader import Json

# A replacement takes 0.3 s on a quiet machine and some seconds on a busy one; one test has 24.
pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

RELOAD_S = 20.0


@pytest.fixture(autouse=True)
def daemons_as_they_were(farm: Farm) -> Iterator[None]:
    """End those that were told something else, so that the next test begins with new ones."""
    yield
    for name in SERVERS:
        farm.tell(name, farm.settings(name))
        end(farm.daemons[name])


def process_of(farm: Farm, name: str) -> int:
    found = farm.status(name)["pid"]
    assert isinstance(found, int)
    return found


def is_there(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def moves(farm: Farm) -> Json:
    return farm.status("lb1")["moves"]


@contextmanager
def undisturbed(farm: Farm) -> Iterator[None]:
    """Ask and watch: lb1 answers all the time, every question is answered, nobody is silent."""
    before = moves(farm)
    watcher, asker = farm.watcher(), farm.asker()
    time.sleep(0.3)
    try:
        yield
        time.sleep(0.5)
    finally:
        asked, sightings = asker.stop(), watcher.stop()
    assert [each.error for each in asked if each.error] == []
    assert longest_outage_s(asked) - latest_s(asked) < 0.05
    assert {turn.hardware for turn in turns(sightings)} == {farm.hardware("lb1")}
    assert overlaps(sightings, 0.45) == []
    assert moves(farm) == before
    assert farm.holder() == "lb1"
    assert all(farm.status(name).get("silent_s") == 0 for name in SERVERS)


def test_every_daemon_is_replaced_again_and_again_and_nothing_is_missed(farm: Farm) -> None:
    took: list[Json] = []
    with undisturbed(farm):
        for _ in range(3):
            for name in SERVERS:
                before = process_of(farm, name)
                answer = farm.reload(name)
                took.append(answer["took_s"])
                assert answer["pid"] == process_of(farm, name) != before
        # Were a word, a number or a vote forgotten, or had two acted, somebody would be refused.
        time.sleep(0.5)
        assert [refused(farm, name) for name in SERVERS] == [{}, {}, {}]
    print(f"\nstopped for {took} s")  # noqa: T201 - the figures of the run


def test_a_key_is_changed_without_a_gap(farm: Farm) -> None:
    old, new = "a key for these tests only", "another key for these tests"
    with undisturbed(farm):
        for number, keys in enumerate(([old, new], [new, old], [new])):
            file = farm.folder / f"key{number}"
            file.write_text("\n".join(keys) + "\n")
            for name in SERVERS:
                farm.reload(name, file)
        assert [refused(farm, name) for name in SERVERS] == [{}, {}, {}]
        for number in (1, 0):
            for name in SERVERS:
                farm.reload(name, farm.folder / f"key{number}")


def refused(farm: Farm, name: str) -> dict[str, Json]:
    datagrams = farm.status(name)["datagrams"]
    assert isinstance(datagrams, dict)
    found = datagrams["refused"]
    assert isinstance(found, dict)
    return found


def test_settings_that_are_wrong_leave_the_old_daemon_at_work(farm: Farm) -> None:
    settings = farm.folder / "lb1.json"
    before = process_of(farm, "lb1")
    with undisturbed(farm):
        settings.write_text(json.dumps({**farm.settings("lb1"), "lease_ms": "soon"}))
        with pytest.raises(ServerFailed, match=r"goes on as it is: .*lease_ms: must be"):
            farm.reload("lb1")
        settings.write_text(json.dumps({**farm.settings("lb1"), "port": 6941}))
        with pytest.raises(ServerFailed, match="goes on as it is: port is another"):
            farm.reload("lb1")
    assert process_of(farm, "lb1") == before


def test_an_address_is_added_and_taken_away_and_the_other_stays(farm: Farm) -> None:
    added: Json = {"address": "10.0.0.7", "prefix": 24, "preferred": "lb2"}
    with undisturbed(farm):
        for name in SERVERS:
            told = farm.settings(name)
            vips = told["vips"]
            assert isinstance(vips, list)
            told["vips"] = [*vips, added]
            (farm.folder / f"{name}.json").write_text(json.dumps(told))
            farm.reload(name)
        # On a busy machine lb1 may hold it before lb2 knows it, and gives it back after 20 leases.
        wait_for(lambda: holders(farm).get("10.0.0.7") == "lb2", "lb2 holds the new one", 20.0)
        assert "10.0.0.7/24" in run("ip", "-n", farm.space("lb2"), "-o", "address")
        for name in SERVERS:
            (farm.folder / f"{name}.json").write_text(json.dumps(farm.settings(name)))
            farm.reload(name)
        wait_for(lambda: "10.0.0.7" not in holders(farm), "nobody knows it")
        assert "10.0.0.7/24" not in run("ip", "-n", farm.space("lb2"), "-o", "address")


def test_a_successor_remembers_for_how_long_votes_were_lent_before_it(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should it end soon after, the next start must be silent for as long."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    end(farm.daemons["db1"])
    farm.start_daemon("db1")
    wait_for(lambda: farm.status("db1").get("silent_s") == 0, "it votes")
    longest = tmp_path / "longest_lease_ms"
    longest.write_text("3000\n")
    farm.tell("db1", {**farm.settings("db1"), "lease_ms": 100})
    farm.reload("db1")

    assert longest.read_text() == "3000\n"
    wait_for(lambda: longest.read_text() == "100\n", "that is over", 5.0)


def test_who_votes_changes_stage_by_stage_and_nobody_notices(farm: Farm) -> None:
    """A lease of 0.4 s for one of 0.5: two electorates that must not be mixed."""
    old: dict[str, Json] = {"voters": dict(SERVERS), "lease_ms": 500, "candidates": ["lb1", "lb2"]}
    new: dict[str, Json] = {"voters": dict(SERVERS), "lease_ms": 400, "candidates": ["lb1", "lb2"]}
    with undisturbed(farm):
        for stage in ("joint", "settled", "after", ""):
            for name in SERVERS:
                told = {**farm.settings(name), "lease_ms": 400}
                if stage:
                    told["change"] = {"stage": stage, "old": old, "new": new}
                (farm.folder / f"{name}.json").write_text(json.dumps(told))
                farm.reload(name)
            time.sleep(0.6)  # a longest lease, as the last stage asks for
        assert [farm.status(name)["lease_ms"] for name in SERVERS] == [400, 400, 400]
        assert [refused(farm, name) for name in SERVERS] == [{}, {}, {}]
    for stage in ("joint", "settled", "after", ""):
        for name in SERVERS:
            told = farm.settings(name)
            if stage:
                told["change"] = {"stage": stage, "old": new, "new": old}
            (farm.folder / f"{name}.json").write_text(json.dumps(told))
            farm.reload(name)
        time.sleep(0.6)


def test_commands_that_the_new_settings_name_run_with_the_next_move(farm: Farm) -> None:
    out = farm.folder / "moves"
    script = farm.folder / "moved"
    script.write_text(f'#!/bin/sh\necho "$1 $ADDRESS $SERVER $REASON" >>{out}\n')
    script.chmod(0o755)
    told = farm.settings("lb1")
    told["on_acquire"], told["on_release"] = [[str(script), "got"]], [[str(script), "left"]]
    (farm.folder / "lb1.json").write_text(json.dumps(told))
    farm.reload("lb1")
    assert not out.exists()

    ask(farm.control("lb1"), {"op": "yield", "seconds": 1, "to": "lb2"})
    wait_for(lambda: farm.holder() == "lb2", "lb2 holds")
    ask(farm.control("lb2"), {"op": "yield", "seconds": 5, "to": "lb1"})
    wait_for(lambda: farm.holder() == "lb1", "lb1 holds again")
    wait_for(lambda: len(out.read_text().splitlines()) == 2, "both commands ran")

    left, got = out.read_text().splitlines()
    assert left.startswith("left 10.0.0.1 lb1 ")
    assert got.startswith("got 10.0.0.1 lb1 ")
    hooks = farm.status("lb1")["hooks"]
    assert isinstance(hooks, dict)
    assert sorted(hooks) == ["on_acquire 10.0.0.1", "on_release 10.0.0.1"]


def holders(farm: Farm) -> dict[str, Json]:
    found = farm.status("lb1")["holder"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("state", ["dies", "hangs"])
def test_a_successor_that_fails_leaves_the_old_daemon_at_work(farm: Farm, state: str) -> None:
    before = process_of(farm, "lb1")
    gate = farm.folder / "gate"
    os.mkfifo(gate)
    with undisturbed(farm):
        settings = farm.folder / "lb1.json"
        files = [os.open(settings, os.O_RDONLY), os.open(gate, os.O_RDWR)]
        # It waits for its key, so that there is time to end it.
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(ask, farm.control("lb1"), {"op": "reload"}, files, RELOAD_S)
            wait_for(lambda: bool(children(before)), "there is a successor")
            child = children(before)[0]
            if state == "dies":
                os.kill(child, signal.SIGKILL)
            with pytest.raises(ServerFailed, match="goes on as it is"):
                asked.result()
    gate.unlink()
    assert process_of(farm, "lb1") == before
    assert not is_there(child)


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(word) for word in listed]
