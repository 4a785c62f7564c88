"""Reads ``haresources`` of Linux-HA heartbeat 3.0.6: pure.

A line is a node and what it shall hold: addresses, and scripts that are started from left to
right when the node takes over and stopped from right to left when it gives up.

Source: the comments of heartbeat's example ``haresources``; its ``ResourceManager``,
``resource.d/IPaddr`` and ``resource.d/IPaddr2``.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from stillup.alone.fate import Fate, Verdict, honoured, refused, translated
from stillup.model.problems import shown

ADDRESS_SCRIPTS = {"IPaddr", "IPaddr2", "IPv6addr"}
DISKS = {"Filesystem", "LVM", "Raid1", "ServeRAID", "ICP", "ids", "LinuxSCSI", "drbddisk"}
_DISK = (
    "a disk that two servers mount is destroyed, and a lease on an address does not keep the "
    "second one from it; use a storage that both may write, or Pacemaker with STONITH"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address.

    Args:
        address: IPv4 or IPv6.
        prefix: Its network's; None for that of the interface.
        interface: Which bears it; None for the one that reaches it.
        node: Which server shall hold it if it can.
        line: Where it stands.
    """

    address: str
    prefix: int | None
    interface: str | None
    node: str
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """A resource script: its path and its arguments but the last."""

    words: tuple[str, ...]
    line: int


@dataclass(slots=True)
class HaResources:
    """What ``haresources`` asks for, in order."""

    wanted: list[Wanted] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)


def read(text: str, file: str, nodes: Collection[str], scripts: Mapping[str, str]) -> HaResources:
    """Return what the file asks for, and what becomes of each word of it.

    Args:
        text: Its text.
        file: Its name, for the fates.
        nodes: The servers in ``ha.cf``.
        scripts: Where each resource script is, by name.
    """
    asked = HaResources()

    def note(line: int, what: str, verdict: Verdict) -> None:
        asked.fates.append(Fate(file, line, what, verdict.kind, verdict.text))

    for node_line, node, words in _groups(text):
        if node not in nodes:
            note(node_line, node, refused("ha.cf has no such node; name one that it has"))
        for line, word in words:
            note(line, word, _resource(word, node, line, asked, scripts))
    if asked.scripts and len(asked.wanted) > 1:
        told = "several addresses, each with a lease of its own: the scripts run for every one"
        note(asked.scripts[0].line, "scripts", translated(told))
    if not asked.wanted and not any(fate.kind == "refused" for fate in asked.fates):
        note(0, "no address", refused("write one, as: lb1 IPaddr::10.0.0.1/24/eth0"))
    return asked


def _groups(text: str) -> Iterator[tuple[int, str, list[tuple[int, str]]]]:
    """Yield each logical line: where its node stands, the node, and its words with their lines."""
    words: list[tuple[int, str]] = []
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        line = raw.partition("#")[0].rstrip()
        goes_on = line.endswith("\\")
        words += [(number, word) for word in line.removesuffix("\\").split()]
        if words and not goes_on:
            yield words[0][0], words[0][1].lower(), words[1:]
            words = []


def _resource(
    word: str, node: str, line: int, asked: HaResources, scripts: Mapping[str, str]
) -> Verdict:
    name, _, rest = word.partition("::")
    if name in ADDRESS_SCRIPTS and rest:
        return _address(rest, node, line, asked)
    if _ip(name.split("/")[0]) is not None and not rest:
        return _address(word, node, line, asked)
    if name in DISKS:
        return refused(_DISK)
    if name == "SendArp":
        return translated("an address that is gained is announced at once and again and again")
    if name not in scripts:
        return refused(
            f"there is no script {shown(name)} in resource.d or /etc/init.d; take it out, or put it there"
        )
    asked.scripts.append(
        Script((scripts[name], *rest.split("::")) if rest else (scripts[name],), line)
    )
    return translated(
        f"{scripts[name]} runs with start when the address is gained, and with stop when it is let go; "
        "the address does not wait for it"
    )


def _address(word: str, node: str, line: int, asked: HaResources) -> Verdict:
    parts = word.split("/")
    address = _ip(parts[0])
    if address is None:
        return refused(f"{shown(parts[0])} is no address; write it as IPaddr::10.0.0.1/24/eth0")
    prefix = _prefix(parts[1], address.max_prefixlen) if len(parts) > 1 and parts[1] else None
    if len(parts) > 1 and parts[1] and prefix is None:
        return refused(f"{shown(parts[1])} is no netmask; write the prefix, as {parts[0]}/24")
    # /24/eth0, /24/10.0.0.255 and /24/eth0:1/10.0.0.255 are all written.
    interface = next((part for part in parts[2:3] if part and _ip(part) is None), None)
    label = (interface or "").partition(":")[2]
    interface = interface.partition(":")[0] if interface else None
    if any(wanted.address == str(address) for wanted in asked.wanted):
        return refused("this address is asked for twice; keep one")
    asked.wanted.append(Wanted(str(address), prefix, interface, node, line))
    told = f"a virtual address with a lease of its own, of which {node} is the preferred holder"
    extra = [
        f"the label {label}" if label else "",
        "the broadcast address" if _broadcast(parts) else "",
    ]
    left_out = " and ".join(part for part in extra if part)
    if left_out:
        return translated(f"{told}; {left_out} is left out, as nothing needs it")
    return honoured(told)


def _broadcast(parts: list[str]) -> bool:
    return any(_ip(part) is not None for part in parts[2:])


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _prefix(text: str, most: int) -> int | None:
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= most else None
    try:
        return ipaddress.ip_network(f"0.0.0.0/{text}").prefixlen
    except ValueError:
        return None
