"""What a look says of the shared files of two storage servers."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.status.judge import judge
from stillup.status.observed import Asked, Observed, Reached, SharedFiles
from stillup.status.standing import redundancy
from stillup.status.verdict import Severity

GOLDEN = Path(__file__).parents[2] / "golden" / "shared" / "farm.toml"
WELL = SharedFiles(well=True, size=3)
SHORT = SharedFiles(well=True, size=2)
HEALING = SharedFiles(well=False, why="7 files are still to heal", size=3)
AWAY = SharedFiles(well=False, why="/srv/shared hangs")


def farm() -> Farm:
    read = read_farm(GOLDEN.read_bytes(), GOLDEN.name)
    assert isinstance(read, Farm), read
    return read


def look(*changed: Reached, answered: bool = True) -> Observed:
    servers = {server.name: Reached(server.name, applied_at_s=1.0) for server in farm().servers}
    for name in ("st1", "st2"):
        servers[name] = replace(servers[name], files_copy=WELL)
    for name in ("web1", "web2"):
        servers[name] = replace(servers[name], files_mount=WELL)
    asked = (Asked("web1", "http://10.0.0.1/health", 200, 0.01),) if answered else ()
    return Observed(2.0, tuple((servers | {seen.name: seen for seen in changed}).values()), asked)


@pytest.mark.parametrize(
    ("st1", "st2", "working", "may_fail"),
    [
        (WELL, WELL, 2, 1),
        # The arbiter is away: the two need one another.
        (SHORT, SHORT, 2, 0),
        # One of them has what the other lacks.
        (HEALING, WELL, 2, 0),
        (WELL, None, 1, 0),
        (None, None, 0, 0),
    ],
)
def test_a_storage_server_may_be_lost_only_while_every_copy_is_whole(
    st1: SharedFiles | None, st2: SharedFiles | None, working: int, may_fail: int
) -> None:
    seen = (
        Reached(name, applied_at_s=1.0, files_copy=copy)
        for name, copy in {"st1": st1, "st2": st2}.items()
    )
    storages = redundancy(farm(), look(*seen))[-1]
    assert (storages.what, storages.total, storages.by_design) == ("storage servers", 2, 1)
    assert (storages.working, storages.may_fail) == (working, may_fail)


def told(observed: Observed) -> list[tuple[str, Severity, str]]:
    findings = judge(farm(), observed).problems
    return [(f.code, f.severity, f.text) for f in findings if f.code.startswith("files-")]


def test_whole_copies_and_mounts_are_nothing_to_tell() -> None:
    assert told(look()) == []


def test_files_that_are_to_heal_are_a_risk() -> None:
    healing = Reached("st2", applied_at_s=1.0, files_copy=HEALING)
    text = "the copies of the shared files are not whole, by st2: 7 files are still to heal"
    assert told(look(healing)) == [("files-not-whole", Severity.RISK, text)]
    states = {line.name: line.state for line in judge(farm(), look(healing)).servers}
    assert (states["st1"].split(", ")[-1], states["st2"]) == ("files whole", "files not whole")


def test_a_web_server_without_the_files_is_a_risk_and_all_of_them_are_the_end() -> None:
    one, other = (Reached(name, applied_at_s=1.0, files_mount=AWAY) for name in ("web1", "web2"))
    text = "web1 has no shared files: /srv/shared hangs"
    assert told(look(one)) == [("files-away", Severity.RISK, text)]
    assert [severity for _, severity, _ in told(look(one, other, answered=False))] == [
        Severity.DOWN,
        Severity.DOWN,
    ]
