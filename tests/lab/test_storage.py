"""Two storage servers and their arbiter on real machines: what each loss costs the shared files."""

import json
import subprocess
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from tests.lab.figures import figure
from tests.lab.running import ROOT, RunningLab, lab_of

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(300)]

FARM = f"""\
[farm]
name = "stored"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["stored.example"]
source = "{ROOT}/examples/site"
shared = ["uploads"]
[tls]
enabled = false
[servers]
web1 = {{ address = "10.0.0.4", roles = ["balancer", "web", "database"] }}
web2 = {{ address = "10.0.0.5", roles = ["web"] }}
st1  = {{ address = "10.0.0.6", roles = ["storage"] }}
st2  = {{ address = "10.0.0.7", roles = ["storage"] }}
"""
STORAGES = ("st1", "st2")
BRICK = "/srv/stillup/brick/data/uploads"
STATE = "/run/stillup/storage/state.json"
GAP_S = 6.0
WHOLE_S = 120.0
# Writes a file every 100 ms, and prints what was acknowledged and the longest wait for it.
WRITER = """\
import json, os, sys, time
folder, name, count = "/srv/shared/uploads", sys.argv[1], int(sys.argv[2])
print("begun", flush=True)
acknowledged, refused, last, longest = [], 0, time.monotonic(), 0.0
for number in range(count):
    began = time.monotonic()
    try:
        with open(f"{folder}/{name}{number}", "w") as file:
            file.write(f"{name} {number} " + "x" * 2000)
        acknowledged.append(f"{name}{number}")
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    except OSError:
        refused += 1
    time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
print(json.dumps({"acknowledged": acknowledged, "refused": refused, "longest_s": longest}))
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Two web servers and two storage servers; the second web server has the third vote."""
    farm = tmp_path_factory.mktemp("stored") / "farm.toml"
    farm.write_text(FARM)
    with lab_of(farm) as running:
        running.lab.up()
        running.stillup("--lab", "apply")
        running.stillup("--lab", "release")
        yield running


class Writer:
    """A program on a web server that writes files into the shared folder."""

    def __init__(self, lab: RunningLab, web: str, name: str, count: int) -> None:
        words = ("lab", "shell", "--console", web, "--", "python3", "-c", WRITER, name, str(count))
        self._process = subprocess.Popen(lab.command(*words), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "begun\n"

    def ended(self) -> tuple[list[str], int, float]:
        """Return which files were acknowledged, how many refused, and the longest gap."""
        told, _ = self._process.communicate(timeout=120)
        said = json.loads(told)
        return said["acknowledged"], said["refused"], said["longest_s"]


def wait_whole(lab: RunningLab, within_s: float = WHOLE_S) -> float:
    """Wait until every copy is whole again by itself; return after how many seconds."""
    began_s = time.monotonic()
    while time.monotonic() < began_s + within_s:
        # One that just boots has looked at nothing yet.
        look = f"cat {STATE}"
        said = [lab.shell(name, look, check=False) for name in STORAGES]
        if all(words and json.loads(words)["well"] for words in said):
            return time.monotonic() - began_s
        time.sleep(1.0)
    raise AssertionError(f"not whole after {within_s} s: {said}")


def sums(lab: RunningLab, server: str, folder: str) -> dict[str, str]:
    """Return what is in each file of a folder."""
    told = lab.shell(server, f"cd {folder} && find . -type f -exec md5sum {{}} +")
    return {line.split()[1].removeprefix("./"): line.split()[0] for line in told.splitlines()}


def alike(lab: RunningLab) -> dict[str, str]:
    """Return the files, after looking that both copies and both web servers' views are the same."""
    first, second = (sums(lab, name, BRICK) for name in STORAGES)
    assert first == second
    for web in ("web1", "web2"):
        assert sums(lab, web, "/srv/shared/uploads") == first
    return first


@pytest.mark.parametrize("victim", ["st1", "web2"])
def test_the_loss_of_any_one_of_them_loses_no_file(stored: RunningLab, victim: str) -> None:
    wait_whole(stored)
    writer = Writer(stored, "web1", victim, 100)
    stored.lab.power(victim, on=False)
    acknowledged, _, longest_s = writer.ended()
    stored.lab.power(victim, on=True)
    healed_s = wait_whole(stored)
    figure(
        f"storage, {victim} off: {longest_s:.2f} s without a file written; "
        f"whole {healed_s:.0f} s after it was back"
    )
    assert longest_s < GAP_S
    assert set(acknowledged) <= set(alike(stored))


def test_the_smaller_side_of_a_partition_takes_no_write(stored: RunningLab) -> None:
    wait_whole(stored)
    for name in ("web1", "st1"):
        stored.lab.cut(name, others=("web2", "st2"))
    # What the cut finds under way is over once the servers' silence was noticed.
    Writer(stored, "web1", "noticing", 60).ended()
    small, large = Writer(stored, "web1", "small", 20), Writer(stored, "web2", "large", 20)
    taken, refused, _ = small.ended()
    others, _, _ = large.ended()
    assert (taken, refused) == ([], 20)
    assert len(others) == 20
    stored.lab.heal()
    wait_whole(stored)
    there = set(alike(stored))
    assert set(others) <= there
    assert not any(name.startswith("small") for name in there)


def test_a_storage_server_that_comes_back_empty_gets_everything(stored: RunningLab) -> None:
    before = alike(stored)
    stored.shell(
        "st2",
        "systemctl stop stillup-storage glusterd; pkill gluster; "
        "rm -rf /srv/stillup/brick /var/lib/glusterd /var/log/glusterfs",
    )
    acknowledged, refused, longest_s = Writer(stored, "web1", "without", 30).ended()
    assert refused == 0
    assert longest_s < GAP_S
    stored.lab.power("st2", on=False)
    stored.lab.power("st2", on=True)
    healed_s = wait_whole(stored)
    figure(f"storage, st2 back with an empty disk: whole after {healed_s:.0f} s")
    assert set(alike(stored)) == {*before, *acknowledged}


def test_only_the_web_servers_mount_it(stored: RunningLab) -> None:
    told = stored.client("timeout", "5", "bash", "-c", "</dev/tcp/10.0.0.6/24007", check=False)
    assert told.returncode != 0, "the firewall lets anybody ask"
    said = stored.shell("st1", "gluster volume get stillup auth.allow; ss -Hltn")
    assert "10.0.0.4,10.0.0.5" in said
    assert "10.0.0.6:24007" in said
    assert "0.0.0.0:24007" not in said


def test_a_client_that_dies_is_back_by_itself(stored: RunningLab) -> None:
    stored.shell("web1", "pkill -KILL -x glusterfs")
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        if stored.shell("web1", "ls /srv/shared/uploads | wc -l", check=False).strip() not in {
            "",
            "0",
        }:
            return
        time.sleep(0.5)
    raise AssertionError("the shared folder did not come back")


def test_a_file_that_was_under_way_while_a_brick_came_is_brought_there(stored: RunningLab) -> None:
    """As it was found: both copies bear a mark that no folder knows of, and the new brick lacks it."""
    wait_whole(stored)
    stored.shell("web1", "echo hello >/srv/shared/uploads/stuck")
    told = stored.shell("st1", f"getfattr -n trusted.gfid -e hex --absolute-names {BRICK}/stuck")
    gfid = str(UUID(told.rpartition("=0x")[2].strip()))
    own = f"{BRICK}/../.glusterfs"
    for server in STORAGES:
        stored.shell(
            server,
            f"setfattr -n trusted.afr.dirty -v 0x000000010000000000000000 {BRICK}/stuck; "
            f"ln {own}/indices/dirty/dirty-* {own}/indices/dirty/{gfid}",
        )
    stored.shell("web2", f"rm {BRICK}/stuck {own}/{gfid[:2]}/{gfid[2:4]}/{gfid}")
    for server in STORAGES:
        keeper, seen = "stillup-storage", STATE
        stored.shell(server, f"systemctl stop {keeper}; rm -f {seen}; systemctl start {keeper}")
    healed_s = wait_whole(stored, within_s=240)
    figure(f"storage, a file that no folder knows to be missing: there after {healed_s:.0f} s")

    assert (
        stored.shell("web2", f"ls -A {BRICK}").split()
        == stored.shell("st1", f"ls -A {BRICK}").split()
    )
    assert stored.shell("web1", "cat /srv/shared/uploads/stuck") == "hello\n"


def test_a_disk_that_is_not_mounted_at_boot_is_waited_for(stored: RunningLab) -> None:
    """Below its place lies a brick of before, as where a farm was applied before the disk was mounted."""
    mount = "mount -t tmpfs none /srv/stillup/brick"
    wait_whole(stored)
    before = set(alike(stored))
    stored.shell(
        "st2",
        f"systemctl stop stillup-storage glusterd; pkill gluster; {mount}; "
        f"rm -f {STATE}; systemctl start glusterd stillup-storage",
    )
    wait_whole(stored)
    later, _, _ = Writer(stored, "web1", "later", 10).ended()
    stored.lab.power("st2", on=False)
    stored.lab.power("st2", on=True)
    deadline_s = time.monotonic() + 60
    while "is not mounted" not in stored.shell("st2", f"cat {STATE}", check=False):
        assert time.monotonic() < deadline_s, "it does not say that its disk is missing"
        time.sleep(0.2)
    assert stored.shell("st2", "pgrep -l gluster || true") == "", "what lies there is served"
    without, refused, _ = Writer(stored, "web1", "disk", 10).ended()
    assert refused == 0
    stored.shell("st2", mount)
    healed_s = wait_whole(stored, within_s=240)
    figure(f"storage, st2's disk is mounted late: whole {healed_s:.0f} s after it was")
    assert set(alike(stored)) == {*before, *later, *without}
