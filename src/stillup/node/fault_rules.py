"""The shell and the packet filter of each fault: how it begins and how it is undone (pure).

Frames are lost in a table of our own (``netdev stillup_fault``) as they come in from the wire and
right before they go out, so that nothing on this server is told: not ARP, not a program with a
packet socket. What goes out is not dropped, for a dropped frame is an error to who sent it
(``ENOBUFS``, and TCP would try again at once); it is sent into the loopback, which takes frames for
another hardware address for nothing.

Source: nft(8), netdev chains and ``fwd``; systemd.resource-control(5), ``IOWriteIOPSMax=``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

TABLE = "netdev stillup_fault"
FOLDER = "/run/stillup-fault"
RULES = f"{FOLDER}/rules.nft"
NFT = "/usr/sbin/nft"
SLOW = ("IOReadIOPSMax", "IOWriteIOPSMax")
SLOW_IOPS = 20
"""Reads and writes a second of each engine: a disk that is dying, or a cloud's that is used up."""
NO_RULES = (
    "the packet filter here cannot lose frames: no netdev chains at egress, no fwd or no numgen"
)
DELAY_S = 0.2
"""What takes the way to the server away waits so long after it was armed, for the answer to get out."""


@dataclass(frozen=True, slots=True)
class Script:
    """One fault on one server, as a shell does it."""

    begin: str
    """Ends when the fault does not last; otherwise tells systemd when it has come about."""
    undo: str = "true"
    """May be run twice, and when only half of ``begin`` was."""
    rules: str = ""
    """What ``RULES`` is to hold."""
    later: bool = False
    """It comes about ``DELAY_S`` after it was armed."""


def cut(interface: str, others: Sequence[str], *, one_way: bool) -> Script:
    """Return a cut of the LAN: from everybody, or from the servers at these IPv4 addresses."""
    sent, heard = [""], [""]
    if others:
        some = f"{{ {', '.join(others)} }}"
        sent = [f"ip daddr {some}", f"arp daddr ip {some}"]
        heard = [f"ip saddr {some}", f"arp saddr ip {some}"]
    return _lost(interface, sent, [] if one_way else heard)


def loss(interface: str, percent: int) -> Script:
    """Return the loss of so many frames of a hundred, each way."""
    share = [f"numgen random mod 100 < {percent}"]
    return _lost(interface, share, share)


def _lost(interface: str, sent: Sequence[str], heard: Sequence[str]) -> Script:
    place = f'device "{interface}" priority -500; policy accept;'
    lines = [
        f"table {TABLE}",
        f"delete table {TABLE}",
        f"table {TABLE} {{",
        f"\tchain sent {{ type filter hook egress {place}",
        *(f'\t\t{match} counter fwd to "lo"' for match in sent),
        "\t}",
        f"\tchain heard {{ type filter hook ingress {place}",
        *(f"\t\t{match} counter drop" for match in heard),
        "\t}",
        "}",
        "",
    ]
    begin = (
        f"{NFT} --check --file {RULES} || {{ echo 'error: {NO_RULES}' >&2; exit 1; }}\n"
        "systemd-notify --ready\n"
        f"sleep {DELAY_S:g}\n{NFT} --file {RULES}\nexec sleep infinity\n"
    )
    return Script(
        begin,
        f"{NFT} delete table {TABLE} 2>/dev/null || true\n",
        "\n".join(lines),
        later=True,
    )


def hang(units: Sequence[str]) -> Script:
    """Return the stop of every process of these units."""
    names = " ".join(units)
    return Script(
        f"systemctl kill --signal=STOP -- {names}\nsystemd-notify --ready\nexec sleep infinity\n",
        f"systemctl kill --signal=CONT -- {names}\n",
    )


def fill(program: str, folders: Sequence[str]) -> Script:
    """Return full disks below these folders; ``program`` is ``fault_program``'s file."""
    return Script(f"exec /usr/bin/python3 -I {program} fill {' '.join(folders)}\n")


def steal(program: str, percent: int, groups: Sequence[str]) -> Script:
    """Return the loss of so much of the time of these control groups' processes."""
    thaw = [f"echo 0 >/sys/fs/cgroup{group}/cgroup.freeze || true\n" for group in groups]
    return Script(
        f"exec /usr/bin/python3 -I {program} steal {percent} {' '.join(groups)}\n",
        "".join(thaw),
    )


def slow(units: Sequence[str], folder: str) -> Script:
    """Return a slow disk, that of ``folder``, for these units."""
    slower = " ".join(f"'{name}={folder} {SLOW_IOPS}'" for name in SLOW)
    whole = " ".join(f"{name}=" for name in SLOW)
    return Script(
        "".join(f"systemctl set-property --runtime {unit} {slower}\n" for unit in units)
        + "systemd-notify --ready\nexec sleep infinity\n",
        "".join(f"systemctl set-property --runtime {unit} {whole}\n" for unit in units),
    )


def reboot(*, in_order: bool) -> Script:
    """Return a reboot: as an administrator does it, or as if the power had gone."""
    how = "exec systemctl --no-block reboot" if in_order else "echo b >/proc/sysrq-trigger"
    return Script(f"systemd-notify --ready\nsleep {DELAY_S:g}\n{how}\n", later=True)
