"""`stillup --lab drill` on the example farm, and on the same farm sabotaged on purpose.

A drill that cannot tell a sound farm from a broken one proves nothing, so each sabotage must be
named by the promise that it breaks; and a drill that is killed must leave nothing behind.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from tests.lab.running import ROOT, RunningLab, copy_of, lab_of

from stillup.drill.player import PAGES_S

pytestmark = [pytest.mark.lab, pytest.mark.crowding, pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = "/etc/haproxy/haproxy.cfg"
VIP = "10.0.0.1"
SERVERS = ("lb1", "lb2", "web1", "web2", "data1", "data2")
# A fault lasts 8 s; then a machine boots and makes up for what it missed.
WHOLE_S = 90


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The example farm of six servers, applied and whole."""
    path = copy_of(ROOT / "examples" / "farm.toml", tmp_path_factory.mktemp("drill"))
    path.write_text(path.read_text().replace('name = "shop"', 'name = "drilled"'))
    with lab_of(path) as running:
        running.stillup("lab", "up", within_s=600)
        _await_whole(running)
        yield running


def drilled(
    farm: RunningLab, *words: str, share: float = 0.1, within_s: float = 600
) -> tuple[int, dict[str, dict[str, str]]]:
    """Play drills; return the exit code, and by the drill's name each promise with its word."""
    done = farm.stillup(
        "--lab", "drill", *words, f"--share={share}", "--json", check=False, within_s=within_s
    )
    assert done.stdout, done.stderr
    run = json.loads(done.stdout)["run"]
    return done.returncode, {
        played["name"]: {
            ruling["promise"]: f"{ruling['word']}: {ruling['text']}"
            for ruling in played["verdict"]["rulings"]
        }
        for played in run["played"]
    }


def _await_whole(farm: RunningLab) -> None:
    farm.stillup("--lab", "status", "--wait", "240")


def broken(rulings: Mapping[str, str]) -> list[str]:
    """Return the promises that were found broken."""
    return [promise for promise, text in rulings.items() if text.startswith("broken")]


@contextmanager
def sabotaged(farm: RunningLab, begin: Mapping[str, str], end: Mapping[str, str]) -> Iterator[None]:
    """Run a line in each server's shell, and another one afterwards."""
    for name, line in begin.items():
        farm.shell(name, line)
    try:
        yield
    finally:
        for name, line in end.items():
            farm.shell(name, line)
        _await_whole(farm)


@contextmanager
def haproxy_with(farm: RunningLab, edit: str) -> Iterator[None]:
    """Have both balancers run with another configuration: ``edit`` is sed's."""
    begin = f"cp -p {CONFIG} /root/kept.cfg && sed -E -i '{edit}' {CONFIG} && ! cmp -s {CONFIG} /root/kept.cfg"
    end = f"mv /root/kept.cfg {CONFIG} && systemctl reload haproxy"
    names = ("lb1", "lb2")
    with sabotaged(
        farm,
        dict.fromkeys(names, f"{begin} && systemctl reload haproxy"),
        dict.fromkeys(names, end),
    ):
        yield


def test_a_sound_farm_keeps_its_promises(farm: RunningLab) -> None:
    code, told = drilled(farm, "power-off web1", "planned failover")

    assert {name: broken(rulings) for name, rulings in told.items()} == {
        "control": [],
        "power-off web1": [],
        "planned failover": [],
    }, told
    assert code == 0, told


@pytest.mark.long
def test_the_short_set_is_played_in_less_than_8_minutes_and_every_promise_is_kept(
    farm: RunningLab,
) -> None:
    began_s = time.monotonic()
    code, told = drilled(farm, "--set=short", share=0.3, within_s=850)

    assert {name: broken(rulings) for name, rulings in told.items()} == {name: [] for name in told}
    assert code == 0, told
    assert time.monotonic() - began_s < 480


def test_the_database_goes_on_though_who_is_left_of_a_running_group_is_no_majority(
    farm: RunningLab,
) -> None:
    """Two of three votes die at once, and one of them stays away: MariaDB runs, and is nobody's member."""
    path = "stillup-arbiter-alone.path"
    away = f"systemctl stop {path}; systemctl kill -s KILL stillup-arbiter; systemctl stop stillup-arbiter"
    begun = farm.shell("data1", "date +@%s").strip()
    killers = [
        subprocess.Popen(farm.command("lab", "shell", "--console", name, "--", "sh", "-c", line))
        for name, line in (("web2", away), ("data2", "pkill -KILL -x mariadbd"))
    ]
    for killer in killers:
        killer.wait()
    try:
        # Read from the log: it may last for less than a look takes.
        left_alone = f"journalctl --unit=mariadb --since={begun} | grep -q 'Received NON-PRIMARY'"
        farm.shell("data1", f'timeout 60 sh -c "until {left_alone}; do sleep 0.2; done"')
        _await_group(farm, "Primary", "2")
    finally:
        farm.shell("web2", "systemctl start stillup-arbiter stillup-arbiter-alone.path")
        _await_whole(farm)


def _await_group(farm: RunningLab, status: str, size: str) -> None:
    """Wait until data1's MariaDB says so of its group."""
    asked = "mariadb -N -B -e \"SHOW STATUS LIKE 'wsrep_cluster_s%'\""
    ends_s = time.monotonic() + 60
    while True:
        told = farm.shell("data1", asked, check=False)
        seen = dict(line.split("\t", 1) for line in told.splitlines() if "\t" in line)
        if (seen.get("wsrep_cluster_status"), seen.get("wsrep_cluster_size")) == (status, size):
            return
        assert time.monotonic() < ends_s, told
        time.sleep(0.2)


@pytest.mark.long
def test_broken_stickiness_is_named(farm: RunningLab) -> None:
    # At random, as what comes in a steady beat may meet the same one of two in turn every time.
    lost = "/^ *cookie .* prefix/d; s/ cookie web[12]$//; s/^( *balance) .*/\\1 random/"
    with haproxy_with(farm, lost):
        code, told = drilled(farm, "control")

    assert (code, broken(told["control"])) == (3, ["sticky"]), told


@pytest.mark.long
def test_checks_that_are_off_are_named(farm: RunningLab) -> None:
    with haproxy_with(farm, "s/(default-server) check .* sudden-death/\\1/"):
        code, told = drilled(farm, "power-off web1")

    assert (code, "settled" in broken(told["power-off web1"])) == (3, True), told


@pytest.mark.long
def test_retries_that_are_off_are_named(farm: RunningLab) -> None:
    with haproxy_with(
        farm, "s/^( *)retries 3/\\1retries 0/; /^ *option redispatch/d; /^ *retry-on/d"
    ):
        code, told = drilled(farm, "kill nginx at web1")

    assert (code, "retried" in broken(told["kill nginx at web1"])) == (3, True), told


def test_a_second_holder_of_the_address_is_named(farm: RunningLab) -> None:
    tables = "; ".join(
        f"nft delete table {family} stillup_vip_{VIP}" for family in ("arp", "netdev")
    )
    begin = f"ip -4 -br addr show eth0 | grep -q {VIP}/ || {{ {tables}; ip addr add {VIP}/32 dev eth0; }}"
    end = f"ip addr del {VIP}/32 dev eth0 && systemctl restart stillup-heartbeat || true"
    names = ("lb1", "lb2")
    with sabotaged(farm, dict.fromkeys(names, begin), dict.fromkeys(names, end)):
        code, told = drilled(farm, "control")

    assert (code, "never-both" in broken(told["control"])) == (3, True), told


@pytest.mark.long
def test_a_database_that_lies_about_commits_is_named(farm: RunningLab) -> None:
    names = ("data1", "data2")
    lie = "mariadb -e 'SET GLOBAL innodb_flush_log_at_trx_commit = {}'"
    with sabotaged(farm, dict.fromkeys(names, lie.format(0)), dict.fromkeys(names, lie.format(1))):
        code, told = drilled(farm, "power-off data1 + data2", share=0.2)

    assert (code, "lost-writes" in broken(told["power-off data1 + data2"])) == (3, True), told


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [
        # A kill has no middle; full disks are those of machines with disks of their own, see
        # test_drill_faults.py.
        *("power-off web1", "reboot lb2", "hang mariadb at data1", "hang data2", "cut lb1"),
        *("cut lb1 one-way", "cut web1 from data1", "loss web2 30%", "busy-cpu web1"),
    ],
)
def test_a_farm_is_whole_again_in_a_faults_time_though_the_drill_is_killed(
    farm: RunningLab, fault: str
) -> None:
    _kill_in(farm, fault)
    killed_s = time.monotonic()

    while _under_way(farm, fault):
        assert time.monotonic() < killed_s + WHOLE_S
        time.sleep(0.5)
    farm.stillup("--lab", "status", "--wait", str(WHOLE_S))

    sys.stdout.write(f"{fault}: whole {time.monotonic() - killed_s:.0f} s after the kill\n")
    for token in farm.shell("web1", "ls /var/lib/stillup-drill").split():
        words = [sys.executable, "-m", "tests.lab.ending", str(farm.farm_path), token]
        subprocess.run(words, cwd=ROOT, check=True)


@pytest.mark.long
def test_a_drill_that_is_killed_leaves_nothing_behind(farm: RunningLab) -> None:
    _kill_in(farm, "hang mariadb at data1")

    farm.stillup("--lab", "status", "--wait", str(WHOLE_S))
    ends_s = time.monotonic() + PAGES_S + 60
    while pages := _pages(farm):
        assert time.monotonic() < ends_s, pages
        time.sleep(5)


def _kill_in(farm: RunningLab, fault: str) -> None:
    """Begin a drill, and kill it with -9 as soon as its fault is seen."""
    with subprocess.Popen(
        farm.command("--lab", "drill", fault, "--share=0.1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as drill:
        while not _under_way(farm, fault):
            assert drill.poll() is None, "the drill ended before its fault was seen"
        drill.kill()


def _under_way(farm: RunningLab, fault: str) -> bool:
    """Tell whether a fault is there: at the server's own unit, the lab's cables, or by what is lost."""
    server = next(word for word in fault.split() if word in SERVERS)
    unit = "systemctl is-active --quiet stillup-fault.service && echo there || true"
    return (
        farm.shell(server, unit, check=False).strip() == "there"
        or "cut" in farm.stillup("lab", "status").stdout
        or _level(farm) != "serving"
    )


def _level(farm: RunningLab) -> str:
    told = farm.stillup("--lab", "status", "--json", check=False).stdout
    return str(json.loads(told)["verdict"])


def _pages(farm: RunningLab) -> str:
    """Return the pages of drills that are on web servers still, and the tables of their rows."""
    look = "ls -A /var/lib/stillup-drill 2>/dev/null || true"
    rows = "mariadb -N -B -e 'SHOW TABLES LIKE \"stillup_drill_%\"' site"
    lines = [farm.shell(name, look) for name in ("web1", "web2")]
    return "".join([*lines, farm.shell("data1", rows)])
