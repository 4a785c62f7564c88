"""Asks, before anything is begun, whether this host can have a lab; each no has its way out."""

import os
import shutil
import subprocess
import tempfile
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
TRIAL = ".trial-"
"""How the folders begin in which an overlay is tried; one stays only of a killed command."""
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Six machines after an apply take about half of it.
_DISK_BYTES = 600_000_000

# Tried in a network namespace that is thrown away, so that the kernel loads what it can.
_NETWORK_TRIAL = (
    "ip link add lan type bridge && ip link add name port0 type veth peer name port1"
    " && nft add table bridge cuts"
)


def check(labs: Path) -> None:
    """Return if a lab can be made here.

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
    with tempfile.TemporaryDirectory(prefix=TRIAL, dir=labs, ignore_cleanup_errors=True) as folder:
        for name in ("lower", "upper", "work", "root"):
            (Path(folder) / name).mkdir()
        options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        command = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options]
        trial = _trial([*command, f"{folder}/root"])
    if trial is not None:
        raise LabFailed(
            f"no overlay can be mounted below {labs} ({trial}): mount an ext4 or xfs disk there"
        )


def _trial(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else "it failed without a word"
