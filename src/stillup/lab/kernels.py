"""Which machines need more of a kernel than this host's has, and so bring one of their own.

That is NFS: a storage server alone serves it and every web server mounts it, and many hosts
that run a lab (small virtual machines, CI) have a kernel without. It is tried, never guessed
from a version; what works in a container is not taken away from it.
"""

import shutil
import subprocess
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import uml
from stillup.lab.state import Report
from stillup.model.farm import Farm, Role, Server

# As a container would: in namespaces of its own. Mounting loads the server where it is a module.
_NFS_TRIAL = (
    "modprobe -qa nfsd nfsv4 2>/dev/null;"
    " mount -t nfsd nfsd /mnt && grep -qw nfs4 /proc/filesystems"
)
_INSTALL_S = 600.0


def nfs_users(farm: Farm) -> tuple[Server, ...]:
    """Return the servers that serve or mount NFS: none in a farm without one storage server."""
    storage = farm.having(Role.STORAGE)
    if len(storage) != 1:
        return ()
    return tuple(s for s in farm.servers if s in storage or Role.WEB in s.roles)


def has_nfs() -> bool:
    """Say whether this host's kernel serves NFS and mounts it."""
    trial = ["unshare", "--net", "--mount", "sh", "-c", _NFS_TRIAL]
    done = subprocess.run(trial, capture_output=True, timeout=30, check=False)
    return done.returncode == 0


def refuse_balancers(users: tuple[Server, ...]) -> None:
    """Return if all of these servers can run as User-Mode Linux.

    Raises:
        LabFailed: If one is a balancer, whose lease a kernel with nftables has to enforce.
    """
    both = [server.name for server in users if Role.BALANCER in server.roles]
    if both:
        raise LabFailed(
            f"{both[0]} is a balancer and uses NFS: this machine's kernel has no NFS, and User-Mode"
            " Linux, which has it, has no nftables to hold the virtual IP with; give the balancers"
            " servers of their own, or run the lab where `modprobe nfsd nfsv4` works"
        )


def ensure_uml(report: Report) -> None:
    """Install User-Mode Linux if it is not there, and say so.

    Raises:
        LabFailed: If it cannot be installed, or this host has no taps.
    """
    if not Path("/dev/net/tun").exists():
        raise LabFailed("User-Mode Linux needs taps for its network: modprobe tun")
    missing = [
        package
        for tool, package in ((uml.PROGRAM, uml.PACKAGE), ("mke2fs", "e2fsprogs"))
        if shutil.which(tool) is None
    ]
    if missing:
        report(f"installing with apt: {' '.join(missing)}")
        _apt(missing)


def _apt(packages: list[str]) -> None:
    install = f"apt-get install -y -q --no-install-recommends {' '.join(packages)}"
    # First without asking the mirror what is new: most often the lists are there.
    line = f"{install} || {{ apt-get update -q && {install}; }}"
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    done = subprocess.run(
        [*environment, "sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise LabFailed(
            f"apt could not install {' '.join(packages)}: {words[-1] if words else 'failed'}"
        )
