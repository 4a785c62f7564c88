"""What is judged of how a farm was seen: every case of ``cases.py``, and the words round it."""

from dataclasses import replace

import pytest
from tests.unit.status.cases import CASES, DOWN
from tests.unit.status.looks import (
    DAY_S,
    NAMES,
    WEBS,
    Change,
    answered,
    cut_from_us,
    everywhere,
    farm,
    look,
    silent,
    told,
    web_seen,
)

from stillup.status.judge import askers, judge
from stillup.status.observed import Disk
from stillup.status.verdict import Level, Redundancy


@pytest.mark.parametrize("name", CASES)
def test_a_case(name: str) -> None:
    changes, level, findings = CASES[name]
    verdict = judge(farm(), look(*changes))
    said = [" ".join(filter(None, [f.severity, f.code, f.server])) for f in verdict.problems]
    assert (verdict.level, said) == (level, findings)


def test_why_is_the_first_cause_and_how_many_more() -> None:
    changes, _, _ = CASES["the database down"]
    assert judge(farm(), look(*changes)).why == (
        "the database on db1 does not answer: gone; and 2 more"
    )


def test_a_disk_is_named_by_its_server_and_its_path() -> None:
    disks = (Disk("/var/lib", read_only=True), Disk("/srv", 5 << 20))
    verdict = judge(farm(), look(told("db1", lambda seen: replace(seen, disks=disks))))
    assert [problem.text for problem in verdict.problems] == [
        "the file system /var/lib of db1 is read-only: nothing can be written there",
        "the file system /srv of db1 has 5 MB left",
    ]


def test_failed_requests_are_one_problem() -> None:
    (problem,) = judge(farm(), look(answered(None, by="web2", error="nothing within 3 s"))).problems
    assert problem.text == (
        "http://10.0.0.1/health gave no answer: nothing within 3 s (asked from web2); "
        "https://10.0.0.1/health gave no answer: nothing within 3 s (asked from web2)"
    )


def test_why_names_every_server_that_does_not_answer() -> None:
    assert judge(farm(), look(silent("lb2", "web1", "web2"))).why == (
        "lb2, web1 and web2 do not answer; and 2 more"
    )


def test_why_a_whole_farm_serves() -> None:
    assert judge(farm(), look()).why == (
        "2 balancers, 3 web servers, 1 database server: all of them work"
    )


def test_a_preferred_balancer_that_is_fit_and_does_not_hold_is_noted() -> None:
    wishing = replace(farm(), vip=replace(farm().vip, preferred=("lb2",)))
    verdict = judge(wishing, look())
    assert [finding.code for finding in verdict.problems] == ["vip-not-preferred"]
    assert verdict.level is Level.SERVING


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (31 * DAY_S, []),
        (29 * DAY_S, ["note the certificate expires in 29 days"]),
        (2 * DAY_S, ["risk the certificate expires in 2 days"]),
        (-1.0, ["risk the certificate has expired, and browsers refuse it"]),
    ],
)
def test_a_certificate_is_told_of_before_it_expires(left_s: float, said: list[str]) -> None:
    observed = look()
    asked = tuple(
        replace(one, expires_in_s=left_s) if one.url.startswith("https") else one
        for one in observed.asked
    )
    problems = judge(farm(), replace(observed, asked=asked)).problems
    assert [f"{finding.severity} {finding.text}" for finding in problems] == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), []),
        (("web2",), [("web2", "web2 has another configuration than the farm file asks for")]),
        (
            ("lb1", "db1"),
            [(None, "lb1, db1 have another configuration than the farm file asks for")],
        ),
    ],
)
def test_servers_with_another_bundle_than_the_farm_file_asks_for_are_noted(
    names: tuple[str, ...], said: list[tuple[str | None, str]]
) -> None:
    observed = look(
        everywhere(lambda seen: replace(seen, wanted="bb" if seen.name in names else "aa"))
    )
    verdict = judge(farm(), observed)
    assert [(finding.server, finding.text) for finding in verdict.problems] == said
    assert verdict.level is Level.SERVING


def test_what_may_die_when_all_is_well() -> None:
    assert judge(farm(), look()).redundancy == (
        Redundancy("balancers", working=2, total=2, needed=1),
        Redundancy("web servers", working=3, total=3, needed=1),
        Redundancy("votes", working=6, total=6, needed=4),
        Redundancy("databases", working=1, total=1, needed=1),
    )


def test_what_may_die_after_two_servers_died() -> None:
    observed = look(silent("lb2", "web2"), web_seen("web2", DOWN))
    spare = {kind.what: kind.may_fail for kind in judge(farm(), observed).redundancy}
    assert spare == {"balancers": 0, "web servers": 1, "votes": 0, "databases": 0}


def test_the_holder_is_known_by_its_voters_when_it_does_not_answer_us() -> None:
    verdict = judge(farm(), look(cut_from_us("lb1")))
    (vip,) = verdict.vips
    assert (vip.holder, vip.claims, vip.since_s) == ("lb1", (), None)


def test_each_server_has_a_line() -> None:
    observed = look(silent("web3"), web_seen("web3", DOWN), web_seen("web2", DOWN, "lb2"))
    states = {server.name: server.state for server in judge(farm(), observed).servers}
    assert states == {
        "lb1": "holds 10.0.0.1",
        "lb2": "standing by",
        "web1": "up",
        "web2": "up at lb1, down at lb2",
        "web3": "no answer",
        "db1": "database answers",
    }


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ((), ("web1", "web2")),
        ((silent("web1", "web2"),), ("web3", "db1")),
        ((silent(*WEBS, "db1"),), ("lb2",)),
        ((silent(*WEBS, "db1", "lb2"),), ("lb1",)),
        ((silent(*NAMES),), ()),
    ],
)
def test_who_asks_through_the_address(changes: tuple[Change, ...], names: tuple[str, ...]) -> None:
    assert askers(farm(), look(*changes)) == names
