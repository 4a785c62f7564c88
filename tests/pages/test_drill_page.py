"""The page in a real browser: its program runs, nothing is fetched, the charts are there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.pages.chromium import PROGRAM, Tab, browser
from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.report.document import written
from stillup.drill.report.page import page
from stillup.drill.verdict import Word

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not here (Debian: chromium)"),
]
RUN = run(drill(power_off("lb1"), 0.4), drill(power_off("data1"), 1.4, Word.BROKEN, lost=2))


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(RUN), encoding="utf-8")
    return path


def charts(tab: Tab) -> list[int]:
    """Return how many charts each drill shows."""
    count = (
        "[...document.querySelectorAll('details')].map(d => d.querySelectorAll('canvas').length)"
    )
    return cast("list[int]", tab.value(count))


def coloured(tab: Tab, number: int) -> bool:
    """Return whether a chart of the first drill has more than its grid: any strongly coloured pixel."""
    return bool(
        tab.value(
            f"(() => {{ const c = document.querySelectorAll('details[open] canvas')[{number}];"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
            "for (let i = 0; i < d.length; i += 4) n += Math.max(d[i], d[i+1], d[i+2])"
            " - Math.min(d[i], d[i+1], d[i+2]) > 90 && d[i+3] > 200; return n > 200 })()"
        )
    )


def test_what_was_not_kept_is_open_with_its_charts_and_nothing_is_fetched(
    tab: Tab, saved: Path
) -> None:
    tab.complaints.clear()
    tab.asked.clear()
    tab.open(saved)
    assert charts(tab) == [3, 0]
    assert [coloured(tab, number) for number in range(3)] == [True, True, True]
    tab.value("document.querySelectorAll('details')[1].open = true")
    tab.settle()
    assert charts(tab) == [3, 3]
    assert (tab.complaints, tab.asked) == ([], [saved.as_uri()])


def test_a_name_in_the_tables_leads_to_its_drill_and_opens_it(tab: Tab, saved: Path) -> None:
    tab.open(saved)
    tab.value("document.querySelector('.drills a[href=\"#drill-1\"]').click()")
    tab.settle()
    assert charts(tab) == [3, 3]
    assert tab.value("document.getElementById('drill-1').getBoundingClientRect().top < innerHeight")


def test_dragging_over_one_chart_shows_the_same_time_in_all_three(tab: Tab, saved: Path) -> None:
    tab.open(saved)
    tab.value("document.querySelector('details[open] .u-over').scrollIntoView({block: 'center'})")
    at = "(({x, y, width}) => [x, y, width])(document.querySelector('details[open] .u-over').getBoundingClientRect())"
    x, y, width = cast("list[float]", tab.value(at))
    before = tab.value("document.querySelectorAll('details[open] canvas')[2].toDataURL()")
    for kind, where in (("mousePressed", 0.2), ("mouseMoved", 0.5), ("mouseReleased", 0.5)):
        tab.ask(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x + width * where,
            y=y + 50,
            button="left",
            clickCount=1,
        )
    tab.settle()
    assert tab.value("document.querySelectorAll('details[open] canvas')[2].toDataURL()") != before


def test_dark_narrow_and_on_paper_it_fits(tab: Tab, saved: Path, tmp_path: Path) -> None:
    tab.open(saved, width=360, height=700, dark=True)
    assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert tab.value("document.documentElement.scrollWidth") == 360
    tab.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert tab.complaints == []


def test_the_run_can_be_saved_from_the_page(tab: Tab, saved: Path) -> None:
    tab.open(saved)
    assert tab.value("document.getElementById('save').hidden") is False
    kept = cast("str", tab.value("document.getElementById('run').textContent"))
    assert json.loads(kept) == json.loads(written(RUN))
