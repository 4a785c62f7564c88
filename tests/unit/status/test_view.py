"""What a person sees, as plain text; and what a program gets."""

import io
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from rich.console import Console
from tests.unit.status.looks import (
    Change,
    answered,
    farm,
    look,
    silent,
    told,
    web_seen,
)

from stillup.cli.status_view import duration, page
from stillup.model.farm import Farm
from stillup.node.message import Json, JsonObject
from stillup.status.export import as_json
from stillup.status.judge import judge
from stillup.status.observed import Backend, Database, Observed, Reached

DOCUMENTED = Path(__file__).parents[3] / "docs" / "status.md"
DOWN = Backend("DOWN", drained=False, check="L7STS/503")


def shown(*changes: Change) -> list[str]:
    """Return the lines of one look, without the time of day and the space at their ends."""
    return printed(farm(), look(*changes))


def printed(of: Farm, observed: Observed) -> list[str]:
    console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False)
    console.print(page(of, observed, judge(of, observed)))
    assert isinstance(console.file, io.StringIO)
    text = re.sub(r"\d\d:\d\d:\d\d", "12:00:00", console.file.getvalue())
    return [line.rstrip() for line in text.splitlines()]


def test_a_farm_in_which_all_is_well_is_one_screen() -> None:
    assert shown() == [
        " SERVING   shop at 12:00:00: 2 balancers, 3 web servers, 1 database server: all of them work",
        "",
        " server   address    roles      state              load   disk free   up for",
        " ───────────────────────────────────────────────────────────────────────────",
        " lb1      10.0.0.2   balancer   holds 10.0.0.1     0.10     20.0 GB      1 h",
        " lb2      10.0.0.3   balancer   standing by        0.10     20.0 GB      1 h",
        " web1     10.0.0.4   web        up                 0.10     20.0 GB      1 h",
        " web2     10.0.0.5   web        up                 0.10     20.0 GB      1 h",
        " web3     10.0.0.6   web        up                 0.10     20.0 GB      1 h",
        " db1      10.0.0.7   database   database answers   0.10     20.0 GB      1 h",
        "",
        "10.0.0.1: held by lb1 for 3 min 20 s; http 200 in 10 ms; https 200 in 20 ms",
        "can lose now: 1 of 2 balancers, 2 of 3 web servers, 2 of 6 votes, 0 of 1 databases (single by",
        "design)",
    ]


def test_a_problem_is_told_with_its_way_out() -> None:
    lines = shown(silent("web2"), web_seen("web2", DOWN))
    assert lines[0] == " AT RISK   shop at 12:00:00: web2 does not answer"
    assert " web2     10.0.0.5   web        no answer" in lines
    assert lines[-2:] == [
        "risk  web2 cannot be reached",
        "      -> start web2 or mend its network; it joins again by itself",
    ]


def test_a_farm_that_is_down_says_why_first() -> None:
    dead = told("db1", lambda seen: replace(seen, database=Database(alive=False, reason="gone")))
    lines = shown(dead, answered(503))
    assert lines[0].startswith(
        " DOWN   shop at 12:00:00: the database on db1 does not answer: gone"
    )
    assert any("http 503 in 10 ms; https 503 in 20 ms" in line for line in lines)


def holds_both(seen: Reached) -> Reached:
    assert seen.heartbeat is not None
    holders = {"10.0.0.1": "lb1", "fd00:10::1": "lb1"}
    since_s = {"10.0.0.1": 200.0, "fd00:10::1": 7.0}
    heartbeat = replace(seen.heartbeat, holding=tuple(holders), believed=holders, since_s=since_s)
    return replace(seen, heartbeat=heartbeat)


def test_each_of_several_addresses_has_a_line_with_its_own_requests() -> None:
    both = (IPv4Address("10.0.0.1"), IPv6Address("fd00:10::1"))
    several = replace(farm(), vip=replace(farm().vip, addresses=both, preferred=(None, None)))
    by_six = tuple(
        replace(asked, url=asked.url.replace("10.0.0.1", "[fd00:10::1]"), took_s=0.05)
        for asked in look().asked
    )
    observed = replace(look(told("lb1", holds_both)), asked=look().asked + by_six)

    lines = printed(several, observed)

    assert "10.0.0.1: held by lb1 for 3 min 20 s; http 200 in 10 ms; https 200 in 20 ms" in lines
    assert "fd00:10::1: held by lb1 for 7 s; http 200 in 50 ms; https 200 in 50 ms" in lines


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_600, "1 h"),
        (3_661, "1 h 1 min"),
        (86_400 * 2 + 120, "2 d"),
        (86_400 * 3 + 7_200, "3 d 2 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_every_key_of_the_json_is_documented_and_every_documented_key_is_there() -> None:
    observed = look(silent("web2"))
    said = keys(as_json(farm(), observed, judge(farm(), observed)), "")
    assert said == documented()


def keys(value: Json, place: str) -> set[str]:
    """Return the place of every value: ``servers[].name``; what is below one is left out."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return set[str]().union(*(keys(item, f"{place}[]") for item in value))
    if isinstance(value, dict) and (not place or place.endswith("[]")):
        dotted = f"{place}." if place else ""
        return set[str]().union(*(keys(inner, f"{dotted}{name}") for name, inner in value.items()))
    return {place}


def documented() -> set[str]:
    """Return the keys in the page's table; ``.holder`` follows the list named before it."""
    table = DOCUMENTED.read_text().partition("## As JSON")[2].partition("## The problems")[0]
    found, start = set(), ""
    for line in table.splitlines():
        if not line.startswith("| `"):
            continue
        for word in re.findall(r"`([\w.\[\]]+)`", line.split("|")[1]):
            if not word.startswith("."):
                start = word.partition(".")[0]
            found.add(start + word if word.startswith(".") else word)
    return found


def test_every_code_of_a_problem_is_documented() -> None:
    source = Path(__file__).parents[3] / "src" / "stillup" / "status"
    made = {
        code
        for module in ("judge", "rules_address", "rules_server", "rules_web")
        for code in re.findall(
            r'^\s+"([a-z]+-[a-z-]+)"(?:,| if)|Finding\("([a-z-]+)"|else "([a-z]+-[a-z-]+)",',
            (source / f"{module}.py").read_text(),
            re.MULTILINE,
        )
    }
    page_text = DOCUMENTED.read_text().partition("## The problems")[2]
    codes = {code for groups in made for code in groups if code}
    assert len(codes) > 25
    assert {code for code in codes if f"`{code}`" not in page_text} == set()


def test_a_look_as_json_is_the_look() -> None:
    observed = look()
    told_json: JsonObject = as_json(farm(), observed, judge(farm(), observed))
    assert told_json["at"] == "2023-11-14T22:13:20.000+00:00"
    assert told_json["verdict"] == "serving"
    assert told_json["vips"] == [
        {"address": "10.0.0.1", "holder": "lb1", "since_s": 200.0, "claims": ["lb1"]}
    ]
    assert told_json["problems"] == []
