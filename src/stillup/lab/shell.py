"""Runs a person's command on the LAN (as the client) or in a machine: this process becomes it.

What it becomes is part of the lab: it is in the lab's control group, so `lab down` ends it.
"""

import os
import shlex
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from stillup.errors import LabFailed
from stillup.lab import cgroup, machine
from stillup.lab.namespace import (
    MS_BIND,
    MS_REC,
    MS_SLAVE,
    NEW_MOUNTS,
    NEW_NAMES,
    enter,
    mount,
    network_of,
    unshare,
)
from stillup.lab.network import client_network
from stillup.lab.state import Home
from stillup.lab.supervisor import group_of
from stillup.model.farm import Server


def client_command(home: Home, command: Sequence[str]) -> list[str]:
    """Return the argument list that runs a command as the lab's client, for subprocess."""
    return [sys.executable, "-P", "-m", "stillup.lab.shell", str(home.path), *command]


def become_client(home: Home, command: Sequence[str]) -> NoReturn:
    """Become one of the host's programs, run as one more host on the LAN.

    It sees the host's files, the LAN instead of the host's network, and an ``/etc/hosts`` in
    which the site's names lead to the virtual IP.

    Raises:
        LabFailed: If the lab is not up or there is no such program.
    """
    namespace = client_network(home)
    program = shutil.which(command[0])
    if program is None:
        raise LabFailed(f"there is no program {command[0]} on this machine")
    cgroup.join(cgroup.group_of(home.id) / "commands")
    enter(namespace)
    unshare(NEW_MOUNTS | NEW_NAMES)
    mount("none", Path("/"), flags=MS_REC | MS_SLAVE)
    mount(str(home.hosts), Path("/etc/hosts"), flags=MS_BIND)
    # /sys shows the network of whoever mounted it; see ip-netns(8).
    mount("sysfs", Path("/sys"), "sysfs")
    socket.sethostname("client")
    os.execv(program, list(command))  # noqa: S606  # nothing to quote: an argument list


def become_ssh(home: Home, server: Server, command: Sequence[str]) -> NoReturn:
    """Become an SSH session to a machine, from the client, with the lab's key and host keys.

    One word is a line for the remote shell, as ssh has it; several are an argument list.

    Raises:
        LabFailed: If the lab is not up.
    """
    _become_ssh(home, server, command, client_network(home))


def _become_ssh(home: Home, server: Server, command: Sequence[str], namespace: Path) -> NoReturn:
    remote = [command[0] if len(command) == 1 else shlex.join(command)] if command else []
    cgroup.join(cgroup.group_of(home.id) / "commands")
    enter(namespace)
    options = {
        "IdentityFile": home.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": home.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": 5,
        "LogLevel": "ERROR",
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # No configuration of the person's own: it may send hosts of this name elsewhere.
    os.execvp(  # noqa: S606  # nothing to quote: an argument list
        "ssh",
        ["ssh", "-F", "none", *settings, f"root@{server.address}", "--", *remote],
    )


def become_console(home: Home, server: Server, command: Sequence[str]) -> NoReturn:
    """Become a shell in a machine, entered through the kernel: its network is not needed.

    User-Mode Linux has no door but its network card; it is entered by SSH at the machine's own
    side of it, where no cut is.

    Raises:
        LabFailed: If the machine is off.
    """
    process = machine.init(home, server.name)
    if process is None:
        raise LabFailed(f"{server.name} is off; `stillup lab power on {server.name}`")
    if machine.is_uml(home, server.name):
        _become_ssh(home, server, command, network_of(process))
    wanted = list(command) or ["bash", "-l"]
    if sys.stdin.isatty():
        # A terminal of the machine's own: the host's does not exist in there.
        wanted = ["script", "-qec", shlex.join(wanted), "/dev/null"]
    cgroup.join(group_of(home, server.name) / "boot" / "console")
    environment = {
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    kinds = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    os.execvpe(  # noqa: S606  # nothing to quote: an argument list
        "nsenter",
        ["nsenter", f"--target={process}", *kinds, "--wdns=/root", "--", *wanted],
        environment,
    )


if __name__ == "__main__":
    try:
        become_client(Home(Path(sys.argv[1])), sys.argv[2:])
    except (LabFailed, OSError) as error:
        sys.stderr.write(f"stillup: {error}\n")
        raise SystemExit(1) from None
