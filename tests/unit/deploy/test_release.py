"""Releases: all web servers or none, and back."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.deploy.farms import FARM, serving, site
from tests.unit.deploy.scripted import ScriptedFarm

from stillup.deploy.release import Released, back, release
from stillup.errors import ChangeRefused, ChangeTakenBack, ServerFailed, ServerUnreachable
from stillup.node.message import Json, JsonObject

WEBS = ("web1", "web2", "web3")


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptedFarm:
    farm = serving(site(tmp_path))
    site(tmp_path, "<?php echo 2;")
    return farm


def released(scripted: ScriptedFarm, tmp_path: Path) -> Released:
    scripted.renew()
    source = tmp_path / "site"
    return asyncio.run(release(FARM, scripted.access, source, tell=lambda _: None))


def went_back(scripted: ScriptedFarm, to: str | None = None) -> Released:
    scripted.renew()
    return asyncio.run(back(FARM, scripted.access, to))


def served(scripted: ScriptedFarm) -> list[str | None]:
    return [scripted.servers[web].release for web in WEBS]


def test_all_switch_when_all_have_it_and_the_same_again_is_nothing(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    before = served(scripted)[0]
    came_to = released(scripted, tmp_path)
    assert came_to.switched == WEBS
    assert served(scripted) == [came_to.release] * 3
    order = [operation for _, operation in scripted.access.requests]
    assert order.index("release.switch") > max(
        n for n, operation in enumerate(order) if operation == "release.end"
    )
    assert released(scripted, tmp_path) == Released(came_to.release, (), ())
    assert went_back(scripted).release == before
    assert served(scripted) == [before] * 3


def test_one_that_cannot_take_it_keeps_all_as_they_were(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    before = served(scripted)

    def full(_: Mapping[str, Json]) -> JsonObject:
        raise ServerFailed("web3: the disk is full")

    scripted.servers["web3"].instead["release.end"] = full
    with pytest.raises(ServerFailed, match="web3: the disk is full"):
        released(scripted, tmp_path)
    assert served(scripted) == before


def test_one_that_is_unreachable_keeps_all_as_they_were(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    before = served(scripted)
    access = scripted.renew()
    access.dead.add("web1")
    with pytest.raises(ServerUnreachable, match="web1"):
        asyncio.run(release(FARM, access, tmp_path / "site", tell=lambda _: None))
    assert served(scripted) == before
    assert not access.requests


def test_one_that_cannot_switch_takes_the_others_back(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    before = served(scripted)

    def stuck(_: Mapping[str, Json]) -> JsonObject:
        raise ServerFailed("web2: PHP could not be told")

    scripted.servers["web2"].instead["release.switch"] = stuck
    with pytest.raises(ChangeTakenBack, match="web2: PHP could not be told\nthe others serve"):
        released(scripted, tmp_path)
    assert served(scripted) == before


def test_a_web_server_that_apply_has_not_set_up_is_left_out(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    new = scripted.servers["web3"]
    new.applied, new.release = None, None
    assert released(scripted, tmp_path).skipped == ("web3",)
    assert new.release is None


def test_nothing_to_go_back_to(scripted: ScriptedFarm) -> None:
    with pytest.raises(ChangeRefused, match="no release before this one"):
        went_back(scripted)


def test_back_is_refused_where_the_web_servers_do_not_stand_alike(
    scripted: ScriptedFarm, tmp_path: Path
) -> None:
    old = served(scripted)[0]
    new = released(scripted, tmp_path).release
    scripted.servers["web2"].release, scripted.servers["web2"].previous = old, new
    with pytest.raises(ChangeRefused, match=r"web2 serves .*release --to RELEASE"):
        went_back(scripted)
    assert went_back(scripted, old).switched == ("web1", "web3")
    assert served(scripted) == [old] * 3


def test_a_release_that_they_no_longer_have_names_those_they_have(
    scripted: ScriptedFarm,
) -> None:
    with pytest.raises(ChangeRefused, match=f"still have: {served(scripted)[0]}"):
        went_back(scripted, "gone")
