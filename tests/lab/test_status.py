"""What status says of six real machines while they fail and come back."""

import json
import signal
import subprocess
import time
from typing import TypedDict

import pytest
from tests.lab.running import RunningLab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

WAIT_S = "90"


class Vip(TypedDict):
    address: str
    holder: str
    claims: list[str]


class Server(TypedDict):
    name: str
    reachable: bool
    as_written: bool
    seen_as: dict[str, str]


class Request(TypedDict):
    url: str
    status: int | None
    balancer: str | None


class Redundancy(TypedDict):
    what: str
    may_fail: int


class Problem(TypedDict):
    code: str
    severity: str
    server: str | None


class Told(TypedDict):
    """What these tests read of the JSON that docs/status.md describes."""

    verdict: str
    why: str
    vips: list[Vip]
    servers: list[Server]
    redundancy: list[Redundancy]
    requests: list[Request]
    problems: list[Problem]


@pytest.fixture
def serving(applied: RunningLab) -> RunningLab:
    """Six machines, and everything that is redundant is there."""
    applied.stillup("--lab", "status", "--wait", WAIT_S)
    return applied


def told(running: RunningLab) -> Told:
    """Return what ``status --json`` tells."""
    done = running.stillup("--lab", "--json", "status", check=False)
    verdict: Told = json.loads(done.stdout)
    assert done.returncode == (0 if verdict["verdict"] == "serving" else 1)
    return verdict


def codes(verdict: Told) -> set[tuple[str, str | None]]:
    """Return what counts for the verdict: a busy host makes daemons late, which is only noted."""
    return {
        (problem["code"], problem["server"])
        for problem in verdict["problems"]
        if problem["severity"] != "note"
    }


def test_a_whole_farm_serves_and_a_real_request_says_so(serving: RunningLab) -> None:
    verdict = told(serving)
    assert verdict["verdict"] == "serving"
    (vip,) = verdict["vips"]
    assert vip["address"] == "10.0.0.1"
    assert vip["holder"] in {"lb1", "lb2"}
    assert vip["claims"] == [vip["holder"]]
    servers = {server["name"]: server for server in verdict["servers"]}
    assert list(servers) == ["lb1", "lb2", "web1", "web2", "web3", "db1"]
    assert all(server["reachable"] for server in servers.values())
    assert all(server["as_written"] for server in servers.values())
    assert servers["web2"]["seen_as"] == {"lb1": "up", "lb2": "up"}
    requests = verdict["requests"]
    assert {(one["status"], one["balancer"]) for one in requests} == {(200, vip["holder"])}
    assert {one["url"].split(":")[0] for one in requests} == {"http", "https"}
    spare = {kind["what"]: kind["may_fail"] for kind in verdict["redundancy"]}
    assert spare == {"balancers": 1, "web servers": 2, "votes": 2, "databases": 0}


def test_a_web_server_without_power_is_named_and_the_farm_is_whole_again_after(
    serving: RunningLab,
) -> None:
    serving.stillup("lab", "power", "off", "web2")
    verdict = told(serving)
    assert verdict["verdict"] == "at risk"
    assert verdict["why"] == "web2 does not answer"
    assert codes(verdict) == {("server-unreachable", "web2")}
    shown = serving.stillup("--lab", "status", check=False)
    assert shown.returncode == 1
    assert shown.stdout.startswith(" AT RISK   shop at ")
    serving.stillup("lab", "power", "on", "web2")
    serving.stillup("--lab", "status", "--wait", WAIT_S)


def test_the_address_moves_and_the_balancer_left_is_said_to_be_the_only_one(
    serving: RunningLab,
) -> None:
    (vip,) = told(serving)["vips"]
    holder = vip["holder"]
    other = "lb2" if holder == "lb1" else "lb1"
    serving.stillup("lab", "power", "off", holder)
    verdict = told(serving)
    assert verdict["verdict"] == "at risk"
    assert {("server-unreachable", holder), ("balancer-no-spare", other)} <= codes(verdict)
    assert verdict["vips"][0]["holder"] == other


def test_a_dead_database_is_the_cause_that_is_told_first(serving: RunningLab) -> None:
    serving.shell("db1", "systemctl stop mariadb")
    try:
        verdict = told(serving)
        assert verdict["verdict"] == "down"
        assert verdict["why"].startswith("the database on db1 does not answer")
        assert ("unit-not-running", "db1") in codes(verdict)
        assert ("request-failed", None) in codes(verdict)
    finally:
        serving.shell("db1", "systemctl start mariadb")
    serving.stillup("--lab", "status", "--wait", WAIT_S)


def test_a_voter_without_its_daemon_is_told_of(serving: RunningLab) -> None:
    serving.shell("web3", "systemctl stop stillup-heartbeat")
    try:
        assert ("heartbeat-silent", "web3") in codes(told(serving))
    finally:
        serving.shell("web3", "systemctl start stillup-heartbeat")


def test_a_watch_sees_a_server_die_and_come_back_and_ends_by_ctrl_c(serving: RunningLab) -> None:
    watching = subprocess.Popen(
        serving.command("--lab", "--json", "status", "--watch", "0.5"),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        seen_until(watching, "serving")
        serving.stillup("lab", "power", "off", "web1")
        seen_until(watching, "at risk")
        serving.stillup("lab", "power", "on", "web1")
        seen_until(watching, "serving")
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=20)
        assert "Traceback" not in rest
        assert watching.returncode == 0
    finally:
        watching.kill()
        watching.wait()


def seen_until(watching: "subprocess.Popen[str]", verdict: str) -> None:
    """Read looks until one has the verdict."""
    assert watching.stdout is not None
    until_s = time.monotonic() + float(WAIT_S)
    while time.monotonic() < until_s:
        told = json.loads(watching.stdout.readline())
        if told["verdict"] == verdict:
            return
    pytest.fail(f"the watch never said {verdict}")
