"""Asks, before anything is begun, whether this host can have a lab; each no has its way out."""

import os
import shutil
import subprocess
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import cgroup

# Tool: Debian's package that has it.
_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "sysctl": "procps",
    "ssh-keygen": "openssh-client",
    "ssh": "openssh-client",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Six machines after an apply take about half of it.
_DISK_BYTES = 600_000_000

_WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances")
# Measured: 7 on a machine with its engines running.
_WATCHERS_EACH = 8

# Tried in a network namespace that is thrown away, so that the kernel loads what it can.
_NETWORK_TRIAL = (
    "ip link add lan type bridge && ip link add name port0 type veth peer name port1"
    " && nft add table bridge cuts"
)


def check(labs: Path, machines: int) -> None:
    """Return if a lab can be made here, and so many machines more be booted.

    Raises:
        LabFailed: With the first thing that is missing and what to do about it.
    """
    if os.geteuid() != 0:
        raise LabFailed("the lab boots machines, which needs root: run it with sudo")
    missing = sorted({_TOOLS[tool] for tool in _TOOLS if shutil.which(tool) is None})
    if not _KEYRING.exists():
        missing.append("debian-archive-keyring")
    if missing:
        raise LabFailed(f"the lab needs more of this machine: apt install {' '.join(missing)}")
    _check_groups()
    _check_kernel(labs)
    _check_watchers(machines)
    free = shutil.disk_usage(labs).free
    if free < _DISK_BYTES:
        raise LabFailed(
            f"the lab needs {_DISK_BYTES // 10**6} MB free below {labs}, and there are"
            f" {free // 10**6} MB: make room, or mount a larger disk there"
        )


def _check_groups() -> None:
    top = cgroup.unified(Path("/proc/self/mountinfo").read_text())
    # `group_of` says how to get one where there is none.
    group = cgroup.group_of("preflight") if top is None else top
    if not os.access(group, os.W_OK):
        raise LabFailed(
            f"{group} is mounted read-only (is this a container?): the lab needs to make"
            " control groups; run it on the host, or in a container with --privileged"
        )


def _check_kernel(labs: Path) -> None:
    trial = _trial(["unshare", "--net", "sh", "-c", _NETWORK_TRIAL])
    if trial is not None:
        raise LabFailed(f"this kernel lacks what the lab's network needs: {trial}")
    folder = labs / ".trial"
    for name in ("lower", "upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    command = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options]
    trial = _trial([*command, f"{folder}/root"])
    shutil.rmtree(folder, ignore_errors=True)
    if trial is not None:
        raise LabFailed(
            f"no overlay can be mounted below {labs} ({trial}): mount an ext4 or xfs disk there"
        )


def _check_watchers(machines: int) -> None:
    """Refuse more machines than the kernel's bound on root's inotify instances allows.

    A systemd that gets none does not boot, and says so nowhere that one would look. The usual
    bound is 128 for all of root's processes on this host.
    """
    most = int(_WATCHERS.read_text())
    needed = machines * _WATCHERS_EACH
    used = sum(map(_watchers, Path("/proc").glob("[0-9]*"))) if needed else 0
    if used + needed > most:
        raise LabFailed(
            f"{machines} machines need {needed} inotify instances, and of {most} there are"
            f" {max(most - used, 0)} left: sysctl -w fs.inotify.max_user_instances={used + needed}"
        )


def _watchers(process: Path) -> int:
    found = 0
    try:
        if process.stat().st_uid != 0:
            return 0
        for descriptor in (process / "fd").iterdir():
            found += descriptor.readlink().name == "anon_inode:inotify"
    except OSError:  # it, or what it had open, is gone
        return found
    return found


def _trial(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else "it failed without a word"
