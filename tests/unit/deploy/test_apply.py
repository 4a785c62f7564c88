"""What an apply refuses, and how it ends when a server or the user stops it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, SECRETS, WEB_CHANGED, applied, serving, site
from tests.unit.deploy.scripted import ScriptedFarm
from tests.unit.deploy.scripted_server import ScriptedServer

from stillup.deploy.apply import Stop, Wishes, apply, look
from stillup.deploy.events import Began, Event, Stopped, Told
from stillup.deploy.steps import Change
from stillup.errors import ChangeRefused, ChangeTakenBack, ServerFailed, ServerUnreachable
from stillup.node.message import Json, JsonObject


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return site(tmp_path)


def untouched(scripted: ScriptedFarm, before: JsonObject) -> bool:
    return scripted.end() == before


def test_an_unreachable_server_stops_it_before_it_begins(source: Path) -> None:
    scripted = serving(source)
    before = scripted.end()
    scripted.access.dead.add("web2")
    with pytest.raises(ServerUnreachable, match=r"web2 .*\n.*left as they were; --skip-unr"):
        applied(scripted, WEB_CHANGED, source)
    assert untouched(scripted, before)
    assert not scripted.access.requests


def test_unreachable_servers_are_left_out_on_demand(source: Path) -> None:
    scripted = serving(source)
    scripted.access.dead.add("web2")
    applied(scripted, WEB_CHANGED, source, Wishes(skip_unreachable=True))
    counts = {name: one.applies for name, one in scripted.servers.items()}
    assert counts == {"lb1": 1, "lb2": 1, "web1": 2, "web2": 1, "web3": 2, "db1": 1}
    assert not scripted.violations


def test_nobody_reached_is_no_farm_to_go_on_with(source: Path) -> None:
    scripted = serving(source)
    scripted.access.dead.update(scripted.servers)
    with pytest.raises(ServerUnreachable, match="no server was reached"):
        applied(scripted, FARM, source, Wishes(skip_unreachable=True))


def test_a_lock_of_somebody_else_stops_it_at_the_first_server(source: Path) -> None:
    scripted = serving(source)
    scripted.servers["lb1"].locked_by = 999
    with pytest.raises(ChangeRefused, match="lb1: another change is under way"):
        applied(scripted, WEB_CHANGED, source)
    assert scripted.access.requests == [("lb1", "lock")]


def test_planning_neither_locks_nor_changes(source: Path) -> None:
    scripted = serving(source)
    before = scripted.end()
    plan = asyncio.run(look(WEB_CHANGED, SECRETS, scripted.access, source, report=lambda _: None))
    assert plan.steps
    assert untouched(scripted, before)
    assert {operation for _, operation in scripted.access.requests} == {
        "facts",
        "compare",
        "state",
    }


def changed_by_hand(scripted: ScriptedFarm, web: str) -> None:
    """Let a file of the server differ, as somebody else's work."""
    server = scripted.servers[web]
    compare = server.usual("compare")

    def by_hand(arguments: Mapping[str, Json]) -> JsonObject:
        answer = compare(arguments)
        own: Json = {"kind": "file", "name": "/etc/motd", "action": "change", "by_hand": True}
        return {**answer, "changes": [own]}

    server.instead["compare"] = by_hand


def test_files_changed_by_hand_are_refused_unless_overwritten(source: Path) -> None:
    scripted = serving(source)
    changed_by_hand(scripted, "web1")
    with pytest.raises(ChangeRefused, match=r"web1: /etc/motd was changed by hand.*--overwrite"):
        applied(scripted, FARM, source)
    assert scripted.servers["web1"].applies == 1
    scripted.renew()
    applied(scripted, FARM, source, Wishes(overwrite=True))
    assert scripted.servers["web1"].applies == 2


def failing(scripted: ScriptedFarm, web: str, error: Exception) -> None:
    def fail(_: Mapping[str, Json]) -> JsonObject:
        raise error

    scripted.servers[web].instead["apply"] = fail


def test_a_failing_server_stops_the_rest_and_is_given_its_users_back(source: Path) -> None:
    scripted = serving(source)
    failing(scripted, "web2", ChangeTakenBack("web2: nginx does not start; it is as it was"))
    told: list[Event] = []
    with pytest.raises(ChangeTakenBack, match="web2: nginx does not start"):
        applied(scripted, WEB_CHANGED, source, told=told)
    assert told[-1] == Stopped(("web1",), ("web2", "web3"))
    assert scripted.servers["web3"].applies == 1
    assert not any(one.drained for one in scripted.servers.values())
    assert not any(one.locked_by for one in scripted.servers.values())


def test_side_by_side_each_server_ends_before_the_failure_is_told(tmp_path: Path) -> None:
    scripted = ScriptedFarm(FARM)
    failing(scripted, "web1", ServerFailed("web1: the disk is full"))
    failing(scripted, "web2", ServerFailed("web2: the disk is full"))
    with pytest.raises(ServerFailed, match="web1: the disk is full\nweb2: the disk is full"):
        applied(scripted, FARM, site(tmp_path))
    assert scripted.servers["web3"].applies == 1
    assert scripted.servers["lb1"].applies == 0


def test_the_holder_is_not_disturbed_when_nobody_could_take_over(source: Path) -> None:
    scripted = serving(source)
    scripted.servers["lb2"].ill = "HAProxy is down"
    disturbing(scripted.servers["lb1"])
    with pytest.raises(ChangeRefused, match=r"lb1 holds .*\(lb2: HAProxy is down\).*--force"):
        applied(scripted, FARM, source)
    assert scripted.servers["lb1"].applies == 1
    scripted.renew()
    applied(scripted, FARM, source, Wishes(force=True))
    assert scripted.servers["lb1"].applies == 2


def test_the_holder_is_changed_when_it_has_drained_and_not_before(source: Path) -> None:
    scripted = serving(source)
    lb1 = scripted.servers["lb1"]
    disturbing(lb1)
    open_when_changed: list[int] = []

    def state(arguments: Mapping[str, Json]) -> JsonObject:
        answer = lb1.usual("state")(arguments)
        if lb1.yielded and scripted.open.get("lb1"):
            scripted.open["lb1"] -= 1
        return answer

    def change(arguments: Mapping[str, Json]) -> JsonObject:
        open_when_changed.append(scripted.open["lb1"])
        return lb1.usual("apply")(arguments)

    lb1.instead |= {"state": state, "apply": change}
    scripted.open["lb1"] = 3
    told: list[Event] = []
    applied(scripted, FARM, source, told=told)

    assert open_when_changed == [0]
    assert [each.text for each in told if isinstance(each, Told) and "open conn" in each.text] == [
        "3 open connections are waited for"
    ]


def test_the_holder_stands_back_for_as_long_as_its_connections_are_waited_for(
    source: Path,
) -> None:
    """It would get the address back otherwise, and be changed while it holds it."""
    scripted = serving(source)
    lb1 = scripted.servers["lb1"]
    disturbing(lb1)
    left = [3.0]

    def state(arguments: Mapping[str, Json]) -> JsonObject:
        """Each look takes a third of the time for which it stands back."""
        if lb1.yielded:
            left[0] -= 1
            scripted.open["lb1"] -= 1
        if not left[0]:
            lb1.yielded, scripted.holder = False, "lb1"
        return lb1.usual("state")(arguments)

    def vip(arguments: Mapping[str, Json]) -> JsonObject:
        left[0] = 3.0
        return lb1.usual("vip")(arguments)

    lb1.instead |= {"state": state, "vip": vip}
    scripted.open["lb1"] = 5
    applied(scripted, FARM, source)

    assert scripted.violations == []
    assert scripted.open["lb1"] <= 0


def disturbing(server: ScriptedServer) -> None:
    compare = server.usual("compare")
    first = server.applies

    def restart(arguments: Mapping[str, Json]) -> JsonObject:
        answer = compare(arguments)
        again: Json = {"kind": "unit", "name": "haproxy.service", "action": "restart"}
        return {**answer, "changes": [again] if server.applies == first else []}

    server.instead["compare"] = restart


def test_a_web_server_that_does_not_come_up_stops_the_rest(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillup.deploy.work.UP_WITHIN_S", 0.0)
    scripted = serving(source)
    web1 = scripted.servers["web1"]
    usual = web1.usual("apply")

    def break_(arguments: Mapping[str, Json]) -> JsonObject:
        web1.broken = True
        return usual(arguments)

    web1.instead["apply"] = break_
    with pytest.raises(ServerFailed, match="lb1 does not see web1 up; lb2 does not see web1 up"):
        applied(scripted, WEB_CHANGED, source)
    assert scripted.servers["web2"].applies == 1
    scripted.renew()
    with pytest.raises(ChangeRefused, match=r"web1 is down .*--force.*\[web-server-down\]"):
        applied(scripted, WEB_CHANGED, source)
    assert scripted.servers["web2"].applies == 1


def test_asked_to_stop_it_ends_when_the_server_under_way_is_back_in_use(source: Path) -> None:
    scripted = serving(source)
    stop = Stop()
    told: list[Event] = []

    def report(event: Event) -> None:
        told.append(event)
        stop.asked = stop.asked or event == Began(Change(("web1",)))

    with pytest.raises(ChangeRefused, match="stopped as asked"):
        asyncio.run(apply(WEB_CHANGED, SECRETS, scripted.access, source, report=report, stop=stop))
    assert scripted.servers["web1"].applies == 2
    assert scripted.servers["web2"].applies == 1
    assert not any(one.drained for one in scripted.servers.values())
    assert told[-1] == Stopped(("web1",), ("web2", "web3"))


def test_a_new_web_server_gets_what_the_others_serve_and_nothing_else(
    source: Path, tmp_path: Path
) -> None:
    scripted = serving(source)
    scripted.servers["web2"].release = None
    site(tmp_path, "<?php echo 2;")
    with pytest.raises(ChangeRefused, match=r"web2 has no release .*release-differs"):
        applied(scripted, FARM, source)
    site(tmp_path)
    scripted.renew()
    applied(scripted, FARM, source)
    assert scripted.servers["web2"].release == scripted.servers["web1"].release


def test_a_web_server_that_left_the_farm_file_is_drained_before_anything_is_changed(
    tmp_path: Path,
) -> None:
    source = site(tmp_path)
    scripted = serving(source)
    left = replace(FARM, servers=tuple(one for one in FARM.servers if one.name != "web3"))
    scripted.renew()
    applied(scripted, left, source)
    asked = scripted.access.requests
    drains = [asked.index((balancer, "drain")) for balancer in ("lb1", "lb2")]
    assert max(drains) < min(asked.index((name, "apply")) for name in ("db1", "web1", "lb2"))
    assert not scripted.violations
