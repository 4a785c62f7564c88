"""What a server tells of itself before a bundle can be made for it."""

import json
import os
import shlex
import sys

from stillup.errors import ServerFailed
from stillup.node.bundle import Facts
from stillup.node.disk import read_regular
from stillup.node.message import JsonObject
from stillup.node.world import World, at

PHP = {12: "8.2", 13: "8.4"}
"""The PHP of each Debian release we know."""
NO_FILTER = "/run/no-packet-filter"
"""Made by a lab's machine whose kernel was tried and has none, before its systemd starts."""
ANCESTORS = 8
"""How far up sshd's own child is looked for: the session, a shell, sudo, its watcher, a shell."""


def facts(world: World, address: str | None) -> Facts:
    """Return the server's facts.

    Args:
        world: The server.
        address: Its LAN address; without one, the address the SSH session came in by.

    Raises:
        ServerFailed: If it is no Debian we know, or no interface has the address.
    """
    debian = _debian(world)
    return Facts(
        debian=debian,
        php=PHP[debian],
        interface=_interface(world, address or _ssh_address()),
        ssh_port=_ssh_port(world),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        filters=not at(world, NO_FILTER).exists(),
    )


def as_json(found: Facts) -> JsonObject:
    """Return facts as the session tells them."""
    return {
        "debian": found.debian,
        "php": found.php,
        "interface": found.interface,
        "python": found.python,
        "ssh_port": found.ssh_port,
        "filters": found.filters,
    }


def _debian(world: World) -> int:
    data = read_regular(at(world, "/etc/os-release")) or read_regular(
        at(world, "/usr/lib/os-release")
    )
    words = shlex.split((data or b"").decode(errors="replace"), comments=True)
    entries = dict(word.partition("=")[::2] for word in words)
    name = entries.get("PRETTY_NAME", "no Linux that says its name")
    version = entries.get("VERSION_ID", "")
    if entries.get("ID") != "debian" or not version.isdigit() or int(version) not in PHP:
        raise ServerFailed(f"this is {name}; stillup knows Debian 12 and 13")
    return int(version)


def _ssh_address() -> str | None:
    # "client-address client-port server-address server-port"; sudo does not pass it on.
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else None


def _ssh_port(world: World) -> int:
    """Return the port of the server that the session came in by; it must stay open."""
    process = os.getpid()
    for _ in range(ANCESTORS):
        words = _environment(world, process).get("SSH_CONNECTION", "").split()
        if len(words) == 4 and words[3].isdecimal():
            return int(words[3])
        # sudo keeps the word to itself, so ask it.
        status = (read_regular(at(world, f"/proc/{process}/stat")) or b"").rpartition(b")")[2]
        if len(fields := status.split()) < 2 or (process := int(fields[1])) <= 1:
            break
    return 0


def _environment(world: World, process: int) -> dict[str, str]:
    try:
        data = read_regular(at(world, f"/proc/{process}/environ")) or b""
    except OSError:
        return {}
    entries = data.decode(errors="replace").split("\0")
    return dict(entry.partition("=")[::2] for entry in entries)


def _interface(world: World, address: str | None) -> str:
    ran = world.run(["ip", "-json", "address", "show"])
    if ran.code:
        raise ServerFailed("the program ip (package iproute2) does not run on this server")
    for link in json.loads(ran.out):
        if address in {item.get("local") for item in link.get("addr_info", [])}:
            return str(link["ifname"])
    raise ServerFailed(f"no interface of this server has the address {address or '(not given)'}")
