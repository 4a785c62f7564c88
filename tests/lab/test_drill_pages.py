"""The pages of a drill on real web servers, before real PHP and a real database."""

import time

import pytest
from tests.lab.probing import Probing
from tests.lab.running import RunningLab

from stillup.drill.history import Copies, Kind
from stillup.errors import ChangeRefused

pytestmark = [pytest.mark.lab, pytest.mark.apart, pytest.mark.timeout(240)]

WEBS = ("web1", "web2", "web3")


def tables(farm: RunningLab) -> str:
    return farm.shell("db1", "mariadb -N -e \"SHOW TABLES IN site LIKE '%drill%'\"")


def test_the_pages_say_what_was_done_and_go_without_a_trace(
    farm: RunningLab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pages = Probing(farm)
    assert pages.ask("page")[0] == 404
    pages.install(120)
    try:
        assert pages.ask("page?n=7") == (200, f"page 7 of {pages.token}")
        jar = str(tmp_path_factory.mktemp("visitor") / "jar")
        told = [pages.ask("session", "-c", jar, "-b", jar) for _ in range(3)]
        assert told == [(200, f"session {count} of {pages.token}") for count in (1, 2, 3)]
        farm.shell("db1", "mariadb -e 'SET GLOBAL read_only = ON'")
        try:
            status, told_why = pages.ask("session", "-c", jar, "-b", jar)
        finally:
            farm.shell("db1", "mariadb -e 'SET GLOBAL read_only = OFF'")
        assert (status, "was not stored" in told_why) == (500, True), "PHP only warns of it"
        for number in (1, 2, 9):
            assert pages.post(f"row?n={number}") == (200, f"row {number} of {pages.token}")
        assert pages.post("file?n=1") == (409, "no storage")
        assert pages.ask("row?n=3")[0] == 405, "what is asked for by GET may be repeated"
        assert pages.kept() == (Copies("db1", Kind.ROW, frozenset({1, 2, 9})),)
        for secret in ("settings.json", "probe.php"):
            assert pages.ask(secret)[0] == 404
        assert pages.ask("download", "-r", "0-9", "-o", "/dev/null") == (206, "")
        with pytest.raises(ChangeRefused, match="web1: another drill is under way here"):
            Probing(farm).install(60)

        assert "nothing to change" in farm.stillup("--lab", "plan").stdout
        farm.stillup("--lab", "release")
        assert {pages.ask("page?n=8") for _ in range(6)} == {(200, f"page 8 of {pages.token}")}
    finally:
        pages.remove()
    assert pages.ask("page")[0] == 404
    assert [pages.traces(web) for web in WEBS] == [[], [], []]
    assert tables(farm) == ""


def test_nobody_there_any_more_the_pages_go_by_themselves_after_a_power_cut_too(
    farm: RunningLab,
) -> None:
    pages = Probing(farm)
    pages.install(15)
    over_s = time.monotonic() + 15
    assert pages.post("row?n=1")[0] == 200
    farm.lab.power("web1", on=False)
    # The time itself is waited for: it is absolute, and nobody is told of it.
    time.sleep(max(0.0, over_s + 1 - time.monotonic()))
    assert pages.ask("page")[0] in {404, 410}
    farm.lab.power("web1", on=True)
    ends_s = time.monotonic() + 60
    while any(left := [pages.traces(web) for web in WEBS]) or tables(farm):
        assert time.monotonic() < ends_s, left
        time.sleep(0.5)
