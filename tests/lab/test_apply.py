"""Rolling changes on six real machines under load: nobody feels them, and nothing stops them for good."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from tests.lab.figures import figure
from tests.lab.running import RunningLab

from stillup.lab.answers import cost
from stillup.lab.asker import asking

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

WEBS = ("web1", "web2", "web3")
POOL = "/etc/php/8.4/fpm/pool.d/site.conf"
# Moments of an apply that changes the web servers, by what it says at each.
MOMENTS = ("drain web1", "change web1", "web3 is up")
MORE_MOMENTS = ("servers reached", "undrain web1", "change web2")
END_S = 120.0
# A page each 20 ms: enough to fall into every gap, little enough for two cores with six machines
# that are being changed.
EVERY_S = 0.02


class Farm:
    """The shared lab, whose farm file a test may change; it is put back after them all."""

    def __init__(self, running: RunningLab) -> None:
        self.running = running
        self._kept = running.farm_path.read_text()
        self._memory_mb = 128

    def change_web(self) -> str:
        """Write another memory limit of PHP, which changes the web servers alone."""
        self._memory_mb += 16
        limit = f"{self._memory_mb}MB"
        text = re.sub(r"\[promises\]", f'[web]\nphp_memory = "{limit}"\n\n[promises]', self._kept)
        self.running.farm_path.write_text(text)
        return f"php_admin_value[memory_limit] = {self._memory_mb}M"

    def put_back(self) -> None:
        self.running.farm_path.write_text(self._kept)
        self.running.make_whole()
        self.running.stillup("--lab", "apply")

    def has(self, server: str, line: str) -> bool:
        return line in self.running.shell(server, f"cat {POOL}").splitlines()

    def plan(self) -> str:
        return self.running.stillup("--lab", "plan", check=False).stdout


@pytest.fixture(scope="module")
def changing(applied_lab: RunningLab) -> Iterator[Farm]:
    farm = Farm(applied_lab)
    yield farm
    farm.put_back()


@pytest.fixture
def farm(changing: Farm, applied: RunningLab) -> Farm:
    """The farm as its file says, whatever the test before left of it."""
    applied.stillup("--lab", "apply")
    applied.stillup("--lab", "status", "--wait", "60")
    return changing


def applying(farm: Farm) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        farm.running.command("--lab", "apply"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_it_says(apply: "subprocess.Popen[str]", words: str) -> None:
    assert apply.stdout is not None
    for line in apply.stdout:
        if words in line:
            return
    pytest.fail(f"the apply ended without {words!r}")


def rest(apply: "subprocess.Popen[str]") -> str:
    return apply.communicate(timeout=END_S)[0]


def test_a_rolling_change_of_the_web_servers_costs_nobody_a_request(farm: Farm) -> None:
    line = farm.change_web()
    with asking(farm.running.lab, "/", every_s=EVERY_S, timeout_s=10.0) as client:
        farm.running.stillup("--lab", "apply")
        answers = client.stop()
    assert all(farm.has(web, line) for web in WEBS)
    seen = cost(answers)
    figure(f"rolling change of three web servers: {seen.failed} of {seen.asked} requests failed")
    assert seen.failures == ()
    assert {one.web for one in answers} == set(WEBS)


@pytest.mark.parametrize(
    "moment", [*MOMENTS, *(pytest.param(each, marks=pytest.mark.long) for each in MORE_MOMENTS)]
)
def test_killed_at_any_moment_and_run_again_it_arrives(farm: Farm, moment: str) -> None:
    line = farm.change_web()
    with asking(farm.running.lab, "/", every_s=EVERY_S, timeout_s=10.0) as client:
        apply = applying(farm)
        until_it_says(apply, moment)
        apply.kill()
        rest(apply)
        again(farm)
        answers = client.stop()
    assert all(farm.has(web, line) for web in WEBS)
    assert "nothing to change" in farm.plan()
    assert cost(answers).failures == ()
    drained = farm.running.shell("lb1", "cat /var/lib/stillup/drained-by-apply.json || true")
    assert drained.strip() in {"", "[]"}


def again(farm: Farm) -> None:
    """Apply again; the server that was being changed finishes by itself, holding its lock."""
    ends_s = time.monotonic() + END_S
    while True:
        done = farm.running.stillup("--lab", "apply", check=False)
        if "another change is under way" not in done.stderr or time.monotonic() > ends_s:
            assert done.returncode == 0, done.stderr
            return


def test_ctrl_c_stops_after_the_server_under_way(farm: Farm) -> None:
    line = farm.change_web()
    apply = applying(farm)
    until_it_says(apply, "change web1")
    apply.send_signal(signal.SIGINT)
    told = rest(apply)
    assert apply.returncode == 1, told
    assert "stopped as asked" in told
    assert [farm.has(web, line) for web in WEBS] == [True, False, False]
    farm.running.stillup("--lab", "apply")
    assert all(farm.has(web, line) for web in WEBS)


def test_a_server_that_loses_its_power_in_the_middle_stops_the_rest(farm: Farm) -> None:
    line = farm.change_web()
    apply = applying(farm)
    until_it_says(apply, "change web2")
    farm.running.lab.power("web2", on=False)
    told = rest(apply)
    assert apply.returncode == 1, told
    assert "web2 (10.0.0.5) was lost during" in told
    assert [farm.has(web, line) for web in ("web1", "web3")] == [True, False]
    refused = farm.running.stillup("--lab", "apply", check=False)
    assert refused.returncode == 1
    assert "web2 (10.0.0.5, port 22) does not answer" in refused.stderr
    farm.running.stillup("--lab", "apply", "--skip-unreachable")
    assert farm.has("web3", line)
    farm.running.lab.power("web2", on=True)
    farm.running.stillup("--lab", "status", "--wait", "60")
    farm.running.stillup("--lab", "apply")
    assert farm.has("web2", line)


def test_sshd_stopped_in_the_middle_is_one_sentence_and_the_server_ends_well(farm: Farm) -> None:
    line = farm.change_web()
    apply = applying(farm)
    until_it_says(apply, "change web2")
    farm.running.shell(
        "web2", "systemctl stop ssh.socket ssh.service; kill -9 $(pidof sshd sshd-session); true"
    )
    told = rest(apply)
    assert apply.returncode == 1, told
    assert "web2 (10.0.0.5) was lost during" in told
    assert not farm.has("web3", line)
    farm.running.shell("web2", "systemctl start ssh.service")
    again(farm)
    assert all(farm.has(web, line) for web in WEBS)


def test_a_drained_web_server_gets_nobody_and_keeps_so_through_applies(farm: Farm) -> None:
    farm.running.stillup("--lab", "drain", "web1")
    farm.change_web()
    with asking(farm.running.lab, "/", every_s=EVERY_S, timeout_s=10.0) as client:
        farm.running.stillup("--lab", "apply")
        answers = client.stop()
    assert cost(answers).failures == ()
    assert {one.web for one in answers} == {"web2", "web3"}
    farm.running.stillup("--lab", "undrain", "web1")


def test_a_release_is_everywhere_at_once_and_so_is_the_way_back(farm: Farm) -> None:
    page = farm.running.farm_path.parent / "site" / "version.php"
    try:
        for version in ("one", "two"):
            page.write_text(f"<?php echo '{version}';")
            with asking(farm.running.lab, "/", every_s=EVERY_S, timeout_s=10.0) as client:
                farm.running.stillup("--lab", "release")
                answers = client.stop()
            assert cost(answers).failures == ()
            assert versions(farm) == {version}
        farm.running.stillup("--lab", "release", "--back")
        assert versions(farm) == {"one"}
    finally:
        page.unlink()
        farm.running.stillup("--lab", "release")


def versions(farm: Farm) -> set[str]:
    """Return what PHP on each web server answers, asked through the balancers many times."""
    url = "http://10.0.0.1/version.php"
    ask = ("curl", "-fsS", "--max-time", "5", "-H", "Host: shop.example", *[url] * 12)
    told = farm.running.client(*ask).stdout
    return set(re.findall("one|two", told))
