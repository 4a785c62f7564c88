"""What the workload is told, and when what is due."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillup.drill.history import Deed, Kind, Outcome
from stillup.drill.workload import lines, pages
from stillup.drill.workload.of_farm import settings_for
from stillup.drill.workload.schedule import Due, Schedule
from stillup.drill.workload.settings import Load, Settings, line, parsed
from stillup.model.farm import Farm
from stillup.model.read import read_farm

ROOT = Path(__file__).resolve().parents[4]
TOKEN = "0123456789abcdef" * 2


def test_settings_travel_as_one_line() -> None:
    told = Settings(
        "10.0.0.1",
        "shop.example",
        TOKEN,
        tls=True,
        loads={Kind.ROW: Load(1.5, 2.0, 3)},
    )
    assert line(told).count("\n") == 1
    assert parsed(line(told)) == told


def test_a_deed_travels_as_one_line() -> None:
    done = Deed(
        Kind.ROW,
        7,
        1.25,
        1.250001,
        2.5,
        Outcome.SERVER_ERROR,
        503,
        "lb1",
        "web2",
        "no\ndatabase",
        3,
    )
    assert lines.deed(done).count("\n") == 1
    assert lines.parsed(lines.deed(done)) == done


def test_what_is_due_depends_on_the_clock_alone() -> None:
    schedule = Schedule({Kind.NEW: Load(4.0, 1.0, 1), Kind.ROW: Load(2.0, 1.0, 1)}, first=10)

    assert schedule.due(0.6) == [
        Due(0.0, Kind.NEW, 10),
        Due(0.25, Kind.NEW, 11),
        Due(0.25, Kind.ROW, 10),
        Due(0.5, Kind.NEW, 12),
    ]
    assert schedule.next_s == 0.75
    assert len(schedule.due(1000.0)) == 4 * 1000 - 2 + 2 * 1000 - 1


def test_a_download_is_due_when_the_last_is_over_but_not_more_often_than_asked() -> None:
    schedule = Schedule({Kind.DOWNLOAD: Load(1.0, 1.0, 1)}, first=1)
    (due,) = schedule.due(100.0)

    schedule.over(due, 0.2)
    (second,) = schedule.due(100.0)
    schedule.over(second, 7.5)

    assert (due, second) == (Due(0.0, Kind.DOWNLOAD, 1), Due(1.0, Kind.DOWNLOAD, 2))
    assert schedule.due(100.0) == [Due(7.5, Kind.DOWNLOAD, 3)]


@pytest.mark.parametrize(
    ("kind", "status", "body", "judged"),
    [
        (Kind.KEPT, 200, f"page 7 of {TOKEN}\n", (Outcome.DONE, 7)),
        (Kind.KEPT, 200, f"page 8 of {TOKEN}\n", (Outcome.WRONG, 7)),
        (Kind.ROW, 200, f"row 7 of {'f' * 32}\n", (Outcome.WRONG, 7)),
        (Kind.SESSION, 200, f"session 31 of {TOKEN}\n", (Outcome.DONE, 31)),
        (Kind.SESSION, 200, "<html>log in</html>", (Outcome.WRONG, 0)),
        (Kind.FILE, 409, "no storage", (Outcome.NOT_DONE, 7)),
        (Kind.NEW, 409, "", (Outcome.WRONG, 7)),
        (Kind.NEW, 404, "", (Outcome.WRONG, 7)),
        (Kind.SESSION, 503, "", (Outcome.SERVER_ERROR, 0)),
    ],
)
def test_an_answer_is_judged(
    kind: Kind, status: int, body: str, judged: tuple[Outcome, int]
) -> None:
    assert pages.judged(kind, 7, TOKEN, status, body.encode()) == judged


def test_what_changes_something_is_posted_and_the_token_is_not_in_what_is_told() -> None:
    asked = pages.request(Kind.ROW, 7, token=TOKEN, host="h", cookie="", kept=True)
    assert asked.startswith(f"POST /stillup-drill-{TOKEN}/row?n=7 HTTP/1.1\r\nHost: h\r\n".encode())
    assert (
        pages.shortened(f"no\n /stillup-drill-{TOKEN}/row".encode(), TOKEN)
        == "no /stillup-drill-TOKEN/row"
    )


def test_a_farm_is_asked_for_what_it_has_and_its_writers_stay_within_what_it_takes() -> None:
    farm = read_farm((ROOT / "examples" / "farm.toml").read_bytes(), "farm.toml")
    assert isinstance(farm, Farm)
    whole = settings_for(farm, TOKEN, first=9, share=0.5)
    small = settings_for(
        replace(
            farm,
            balancer=replace(farm.balancer, maxconn_per_server=8),
            site=replace(farm.site, shared=()),
            tls=replace(farm.tls, enabled=False),
        ),
        TOKEN,
    )

    assert (whole.address, whole.host, whole.first) == ("10.0.0.1", farm.site.hosts[0], 9)
    assert (whole.port, whole.tls, small.port, small.tls) == (443, True, 80, False)
    assert (whole.load(Kind.NEW).per_s, whole.load(Kind.KEPT).per_s) == (25.0, 175.0)
    assert (small.load(Kind.NEW).per_s, small.load(Kind.KEPT).per_s) == (200.0, 200.0)
    assert (whole.load(Kind.ROW), whole.load(Kind.FILE)) == (
        Load(50.0, 15.0, 24, 12),
        Load(10.0, 15.0, 12, 2),
    )
    assert (small.load(Kind.ROW), small.load(Kind.FILE).per_s) == (Load(100.0, 15.0, 6, 6), 0.0)
