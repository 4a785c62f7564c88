"""Kernel settings, read and written below /proc/sys."""

from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node.bundle import IF_THERE
from stillup.node.world import World, at


def read_sysctl(world: World, key: str) -> str | None:
    """Return the live value, its white space as single blanks; None if there is no such key."""
    try:
        return " ".join(_place(world, key).read_text().split())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def write_sysctl(world: World, key: str, value: str) -> None:
    """Set the live value.

    Raises:
        ServerFailed: If the kernel has no such key, or does not take the value.
    """
    place = _place(world, key)
    try:
        with place.open("r+") as file:
            file.write(f"{value}\n")
    except OSError as error:
        reason = "there is no such key" if error.errno == 2 else error.strerror
        raise ServerFailed(f"sysctl {key} = {value} was not taken: {reason}") from error


def _place(world: World, key: str) -> Path:
    key = key.removeprefix(IF_THERE)
    # As sysctl(8) has it: the first separator says which one it is, so that
    # net/ipv4/conf/eth0.100/arp_ignore can be written too.
    dot, slash = key.find("."), key.find("/")
    if slash == -1 or (dot != -1 and dot < slash):
        key = key.replace(".", "\0").replace("/", ".").replace("\0", "/")
    return at(world, f"/proc/sys/{key}")
