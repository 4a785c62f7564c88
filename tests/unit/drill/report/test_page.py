"""The page, as text. How it looks and that its program runs: ``tests/pages``."""

import hashlib
import re
from dataclasses import replace
from importlib.resources import files

from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.report.compare import changes
from stillup.drill.report.page import UPLOT_SHA256, page
from stillup.drill.report.run import Untested
from stillup.drill.verdict import Word

BROKEN = run(drill(power_off("lb1"), 0.4), drill(power_off("data1"), 1.4, Word.BROKEN, lost=2))


def text_of(html: str) -> str:
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_charts_program_is_the_one_that_its_authors_released() -> None:
    folder = files("stillup.drill.report").joinpath("uplot")
    found = {
        name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()
        for name in UPLOT_SHA256
    }
    assert found == UPLOT_SHA256


def test_without_its_program_the_page_tells_the_verdict_first_then_why_then_all() -> None:
    text = text_of(page(BROKEN))
    places = [
        text.index(part)
        for part in (
            "BROKEN 1 of 2 drills broke a promise.",
            "Users are interrupted for at most 1 s",
            "power-off data1 : no page for 1.40 s (1.00 s promised)",
            "power-off data1 : 2 acknowledged rows lost",
            "KEPT power-off lb1 400 ms",
            "Lost: 2 row at data1: 101, 102",
            "slow-disk at any server this kernel has no io.max for its disk",
            "stillup drill --set single --report page.html",
        )
    ]
    assert places == sorted(places)


def test_any_two_servers_stand_in_a_table_with_those_that_the_farm_need_not_endure() -> None:
    pairs = run(
        drill(power_off("lb1", "web1"), 0.4),
        drill(power_off("web1", "web2"), 7.9, held=False),
    )
    assert "lb1 web1 web2 lb1 kept 400 ms out web1 kept 400 ms out need not 7.9 s out web2 need not 7.9 s out" in text_of(page(pairs))  # fmt: skip


def test_an_earlier_run_is_beside_it() -> None:
    earlier = run(drill(power_off("data1"), 0.2))
    text = text_of(page(BROKEN, changes(earlier, BROKEN), earlier))
    assert "Compared with the run of 2026-01-02 03:04:05 UTC" in text
    assert "worse power-off data1 kept → broken" in text


def test_no_text_of_a_farm_can_become_part_of_the_page() -> None:
    nasty = "</script><img src=x onerror=alert(1)>"
    html = page(replace(BROKEN, farm=nasty, not_tested=(Untested(nasty, nasty),)))
    assert nasty not in html
    assert html.count("<script") == html.count("</script>") == 3


def test_the_page_names_nothing_to_fetch() -> None:
    tags = re.sub(r"(?s)<script.*?</script>", "", page(BROKEN))
    assert re.findall(r"(?:src|href)=(?!\"#)\S+|url\(|@import", tags) == []
