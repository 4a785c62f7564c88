"""`stillup failover` on six real machines, under load: ten moves that nobody notices."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import http2, users
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab

from stillup.deploy.failover import Moved, failover
from stillup.lab.access import lab_access

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

MOVES = 10
EACH_S = 4
LASTING_S = 54
"""What ten moves take, one each ``EACH_S``, and what it takes to begin and to end."""

PACE = 100_000
BIG = "/srv/site/current/download.bin"


def test_ten_moves_cost_no_request_and_no_download(applied: RunningLab, tmp_path: Path) -> None:
    applied.stillup("--lab", "status", "--wait", "60")
    for web in ("web1", "web2", "web3"):
        applied.shell(web, f"truncate -s {2 * LASTING_S * PACE} $(readlink -f {BIG})")
    output = tmp_path / "users.json"
    words = ["--address", str(applied.farm.vip.first), "--host", "shop.example"]
    words += ["--path", "/style.css", "--download", "/download.bin", "--downloads", "10"]
    words += ["--pace", str(PACE), "--seconds", str(LASTING_S), "--output", str(output)]
    program = applied.client_command(sys.executable, str(ROOT / "tests/users.py"), *words)
    access = lab_access(applied.farm, applied.farm_path)
    # They prefer their session.
    with subprocess.Popen(program, start_new_session=True) as asking:
        begun_s = time.monotonic()
        took: list[Moved] = []
        for number in range(MOVES):
            # Spread over the time that the downloads last.
            time.sleep(max(0.0, begun_s + 2 + number * EACH_S - time.monotonic()))
            took += asyncio.run(failover(applied.farm, access, to=None, address=None, tell=print))
        in_time = time.monotonic() - begun_s < LASTING_S
        assert asking.wait(timeout=LASTING_S) == 0
    seen = json.loads(output.read_text())
    near_s, elsewhere_s = users.longest_waits_s(seen["waits"], moved_s(applied))
    figure(
        f"ten moves, {seen['asked']} requests, {seen['moved_bytes']['download'] / 1e6:.0f} MB in "
        f"ten downloads: {sum(seen['failed'].values())} failed, {sum(seen['cut'].values())} cut, "
        f"longest wait at a move {near_s * 1000:.0f} ms, at other times {elsewhere_s * 1000:.0f} ms, "
        f"slowest answer {seen['slowest_s'] * 1000:.0f} ms"
    )

    assert [each.giver for each in took[1:]] == [each.taker for each in took[:-1]]
    assert (seen["failed"], seen["cut"]) == ({}, {})
    assert seen["answered"] == seen["asked"]
    assert set(seen["by"]) == {"lb1", "lb2"}
    for balancer in ("lb1", "lb2"):
        said = applied.shell(balancer, "journalctl --unit=stillup-heartbeat --no-pager")
        assert "not told" not in said
        assert "not armed" not in said
    # What one must not see is an address that nobody answers for; what a busy host adds is seen elsewhere too.
    assert near_s <= users.may_wait_s(elsewhere_s), "users waited at the moves"
    if not in_time:
        pytest.skip(f"this host took {LASTING_S} s for fewer than {MOVES} moves")


def test_a_user_on_http_2_goes_over_within_seconds_and_loses_nothing(applied: RunningLab) -> None:
    applied.stillup("--lab", "status", "--wait", "60")
    url = f"https://{applied.farm.vip.first}/style.css"
    user = http2.User(applied.client_command(), url, seconds=20)
    time.sleep(3)
    (moved,) = json.loads(applied.stillup("--lab", "--json", "failover").stdout)["moved"]

    assert http2.went_over(user.answers()) == [moved["from"], moved["to"]]


def test_the_command_tells_who_has_it_now(applied: RunningLab) -> None:
    applied.stillup("--lab", "status", "--wait", "60")

    moved = json.loads(applied.stillup("--lab", "--json", "failover").stdout)["moved"]
    back = applied.stillup("--lab", "failover", "--to", moved[0]["from"])
    again = applied.stillup("--lab", "failover", "--to", moved[0]["from"])
    nobody = applied.stillup("--lab", "failover", "--to", "web1", check=False)

    assert moved[0]["address"] == str(applied.farm.vip.first)
    assert back.stdout.startswith(f"10.0.0.1 moved from {moved[0]['to']} to {moved[0]['from']} in ")
    assert again.stdout == f"{moved[0]['from']} holds it already\n"
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "web1 is no balancer of this farm; these are: lb1, lb2" in nobody.stderr


def moved_s(running: RunningLab) -> list[float]:
    """When the address moved, by the heartbeats' own words, on ``CLOCK_MONOTONIC``."""
    behind_s = time.time() - time.monotonic()
    told = running.shell(
        "db1", "PYTHONPATH=/usr/lib/stillup/heartbeat python3 -m stillup.heartbeat status"
    )
    return [each["at"] - behind_s for each in json.loads(told)["moves"] if each["holder"]]
