"""The lab on a host whose PID 1 is systemd: this host's own system, booted in a machine.

The machine's disk is an overlay on this host's root, so it has the same Debian, the same
tools and this project; it boots no further than ``basic.target``, so that none of the host's
services start a second time.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.running import ROOT, RunningLab

from stillup.lab import cgroup
from stillup.lab.state import IMAGES

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_BOOT = """\
set -eu
mkdir -p "$1"
echo $$ >"$1/cgroup.procs"
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
exec systemd-nspawn --quiet --boot --keep-unit --register=no --machine=host \\
    --directory="$2/root" --network-namespace-path=/proc/self/ns/net --capability=all \\
    --resolv-conf=off --timezone=off --link-journal=no --console=read-only \\
    --bind="$2/state:/var/lib/stillup" --bind="$3" --bind="$4" --bind-ro="$5" \\
    -- --unit=basic.target
"""
_ENVIRONMENT = {
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",
    # The filter would keep it from booting machines of its own.
    "SYSTEMD_SECCOMP": "0",
}


class Host:
    """A machine with systemd as PID 1 that can have a lab."""

    def __init__(self, process: int) -> None:
        self._process = process

    def run(self, words: list[str]) -> str:
        """Run a command on it; its failure fails the test."""
        done = subprocess.run(
            ["nsenter", f"--target={self._process}", "--all", "--wdns=/", "--", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    if cgroup.systemd_is_init():
        pytest.skip("this host's PID 1 is systemd: all the other lab tests show it")
    for name in ("upper", "work", "root", "state"):
        (tmp_path / name).mkdir()
    top = cgroup.unified(Path("/proc/self/mountinfo").read_text())
    assert top is not None
    group = top / f"stillup-test-{os.getpid()}"
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (tmp_path / "console.log").open("wb") as console:
        started = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--propagation", "private"),
                *("sh", "-c", _BOOT, "sh", str(group), str(tmp_path), str(IMAGES), str(tmp_path)),
                # Below /tmp this clone would be hidden by the machine's own.
                str(ROOT),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**os.environ, **_ENVIRONMENT},
        )
        try:
            yield Host(booted(group, tmp_path / "console.log"))
        finally:
            cgroup.kill(group)
            started.wait()


def booted(group: Path, console: Path) -> int:
    """Return the machine's process 1 as soon as its systemd takes orders."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for process in cgroup.processes(group / "payload" / "init.scope"):
            words = ["nsenter", f"--target={process}", "--all", "--", "systemctl", "is-active"]
            asked = subprocess.run([*words, "basic.target"], capture_output=True, check=False)
            if asked.stdout == b"active\n":
                return process
        time.sleep(0.1)
    raise AssertionError(console.read_text(errors="replace"))


def test_a_host_with_systemd_has_a_lab_and_is_left_as_it_was(host: Host, small: RunningLab) -> None:
    before = host.run(["ip", "-brief", "link"])
    assert host.run(["cat", "/proc/1/comm"]) == "systemd\n"
    host.run(small.command("lab", "up", "--no-apply"))
    units = host.run(["systemctl", "list-units", "--plain", "--no-legend", "stillup-lab-*"])
    assert units.split()[1:4] == ["loaded", "active", "running"]

    assert host.run(small.command("lab", "shell", "one", "hostname")) == "one\n"
    host.run(small.command("lab", "client", "--", "ping", "-c1", "-W2", "10.0.0.3"))
    host.run(small.command("lab", "power", "off", "two"))
    host.run(small.command("lab", "power", "on", "two"))
    host.run(small.command("lab", "client", "--", "ping", "-c1", "-W2", "10.0.0.3"))

    host.run(small.command("lab", "down"))
    host.run(small.command("lab", "up", "--no-apply", "one"))
    host.run(small.command("lab", "down"))
    assert host.run(["systemctl", "list-units", "--all", "--no-legend", "stillup-lab-*"]) == ""
    assert host.run(["ip", "-brief", "link"]) == before
    assert (
        host.run([sys.executable, "-c", "import os; print(os.listdir('/var/lib/stillup/labs'))"])
        == "[]\n"
    )
