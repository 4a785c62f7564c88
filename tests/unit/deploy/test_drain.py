"""Draining by a user: at every balancer, never the last one, kept by applies."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, WEB_CHANGED, applied, serving, site
from tests.unit.deploy.scripted import ScriptedFarm

from stillup.deploy.drain import Drained, drain, undrain
from stillup.errors import ChangeRefused, InputRefused, ServerFailed, ServerUnreachable
from stillup.node.message import Json, JsonObject


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptedFarm:
    return serving(site(tmp_path))


def drained(scripted: ScriptedFarm, web: str, *, force: bool = False) -> Drained:
    access = scripted.access
    return asyncio.run(drain(FARM, access, web, force=force, tell=lambda _: None))


def undrained(scripted: ScriptedFarm, web: str) -> Drained:
    return asyncio.run(undrain(FARM, scripted.access, web, tell=lambda _: None))


def drains(scripted: ScriptedFarm) -> list[dict[str, str]]:
    return [scripted.servers[name].drained for name in ("lb1", "lb2")]


def test_it_is_drained_at_every_balancer_and_put_back(scripted: ScriptedFarm) -> None:
    assert drained(scripted, "web1") == Drained("web1", ("lb1", "lb2"), 0)
    assert drains(scripted) == [{"web1": "user"}] * 2
    assert undrained(scripted, "web1") == Drained("web1", ("lb1", "lb2"), 0)
    assert drains(scripted) == [{}, {}]


def test_an_apply_keeps_it(scripted: ScriptedFarm, tmp_path: Path) -> None:
    drained(scripted, "web1")
    applied(scripted, WEB_CHANGED, tmp_path / "site")
    assert drains(scripted) == [{"web1": "user"}] * 2


def test_what_an_apply_left_drained_a_user_can_keep(scripted: ScriptedFarm) -> None:
    for name in ("lb1", "lb2"):
        scripted.servers[name].drained["web1"] = "apply"
    drained(scripted, "web1")
    assert drains(scripted) == [{"web1": "user"}] * 2


def test_the_last_one_stays_in_use_unless_forced(scripted: ScriptedFarm) -> None:
    drained(scripted, "web1")
    drained(scripted, "web2")
    with pytest.raises(ChangeRefused, match="web3 is the last web server that lb1 finds well"):
        drained(scripted, "web3")
    assert "web3" not in scripted.servers["lb1"].drained
    drained(scripted, "web3", force=True)
    assert set(scripted.servers["lb1"].drained) == {"web1", "web2", "web3"}


def test_only_web_servers_can_be_drained(scripted: ScriptedFarm) -> None:
    with pytest.raises(InputRefused, match="lb1 is no web server of this farm; these are: web1"):
        drained(scripted, "lb1")


def test_a_balancer_that_is_off_would_go_on_sending_when_it_is_on_again(
    scripted: ScriptedFarm,
) -> None:
    scripted.access.dead.add("lb2")
    with pytest.raises(ServerUnreachable, match="lb2"):
        drained(scripted, "web1")
    assert drains(scripted) == [{}, {}]
    assert drained(scripted, "web1", force=True).at == ("lb1",)


def test_requests_that_do_not_end_are_counted(
    scripted: ScriptedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillup.deploy.drain.SESSIONS_END_WITHIN_S", 0.0)
    balancer = scripted.servers["lb2"]
    quiet = balancer.usual("drain")

    def busy(arguments: Mapping[str, Json]) -> JsonObject:
        return {**quiet(arguments), "sessions": 3}

    balancer.instead["drain"] = busy
    assert drained(scripted, "web1").sessions == 3


def test_one_that_is_not_up_is_undrained_and_said(
    scripted: ScriptedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillup.deploy.drain.UP_WITHIN_S", 0.0)
    drained(scripted, "web1")
    scripted.servers["web1"].broken = True
    with pytest.raises(ServerFailed, match="web1 is undrained, but lb1, lb2 does not see it up"):
        undrained(scripted, "web1")
    assert drains(scripted) == [{}, {}]
