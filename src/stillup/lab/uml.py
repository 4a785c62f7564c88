"""Boots a machine as User-Mode Linux: a kernel of its own, as one program of this host.

For what this host's kernel lacks (NFS). The machine's root is the same as any other's, the
image and its own folder, but what it writes goes to a disk of its own (an ext4 in a sparse
file), as hostfs keeps neither times nor extended attributes as an overlay wants them. Its
network card is a tap, bridged to the same port of the switch that other machines have.

The bridge has an address of its own, which never leaves the machine's namespace: so the
machine is asked and entered past a link that is cut.

Source: https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html; user_mode_linux(1).
"""

import os
from importlib import resources
from ipaddress import IPv4Interface
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab.commands import run
from stillup.lab.names import DIRECT_INTERFACE, INTERFACE
from stillup.lab.state import write_file
from stillup.node.message import JsonObject

PROGRAM = "linux.uml"
PACKAGE = "user-mode-linux"
MODULES = Path("/usr/lib/uml/modules")
KIND = "uml"
DISK = "disk.ext4"
_DISK_BYTES = 8_000_000_000
_MEMORY = "512M"
"""Taken from this host as it is used, and not given back before the machine is off."""
_RUN = Path("/run/uml")

# They look for devices, and there are none but those the kernel makes itself; they cost most of
# the time of a boot. A machine under nspawn does not run them either.
_IDLE_UNITS = (
    "getty.target",
    "ifupdown-pre.service",
    "ldconfig.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-binfmt.service",
    "systemd-journal-catalog-update.service",
    "systemd-udev-load-credentials.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
)


def is_one(record: JsonObject) -> bool:
    """Say whether a machine, by its record, runs as User-Mode Linux."""
    return record.get("kernel") == KIND


def make_disk(folder: Path) -> None:
    """Make a machine's empty disk; it takes the room of what is written to it.

    Raises:
        LabFailed: If the host's disk is full.
    """
    beside = folder / f".{DISK}.new"
    try:
        with beside.open("wb") as file:
            file.truncate(_DISK_BYTES)
        # The tables are written when they are needed: the file stays small.
        options = ["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", *options, str(beside)])
        beside.rename(folder / DISK)
    except OSError as error:
        raise LabFailed(f"cannot make {folder / DISK}: {error.strerror}") from error


def connect(record: JsonObject) -> None:
    """Give the calling process's namespace the taps, bridged to the interfaces it has.

    Raises:
        LabFailed: If this host cannot make a tap.
    """
    lines: list[str] = []
    for interface, bridge, tap in _cards(record):
        lines += [
            f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {interface} master {bridge} up",
            f"tuntap add {tap} mode tap",
            f"link set {tap} master {bridge} up",
            f"link set {bridge} up",
        ]
    server = IPv4Interface(str(record["address"])).ip
    lines += [
        f"address add {record['console']}/32 dev {_BRIDGES[INTERFACE]}",
        f"route add {server}/32 dev {_BRIDGES[INTERFACE]} src {record['console']}",
    ]
    run(["sysctl", "-q", "-e", "-w", "net.ipv6.conf.all.disable_ipv6=1"])
    run(["ip", "-batch", "-"], "\n".join([*lines, ""]))
    run(["nft", "-f", "-"], _ALONE)


_BRIDGES = {INTERFACE: "lan", DIRECT_INTERFACE: "direct"}

# The bridge's own address is for this host alone: the LAN neither hears it nor reaches it.
_ALONE = f"""\
table bridge console {{
  chain to_lan {{
    type filter hook output priority filter;
    oifname {{ "{INTERFACE}", "{DIRECT_INTERFACE}" }} drop
  }}
  chain from_lan {{
    type filter hook input priority filter;
    iifname {{ "{INTERFACE}", "{DIRECT_INTERFACE}" }} drop
  }}
}}
"""


def _cards(record: JsonObject) -> list[tuple[str, str, str]]:
    """Return interface, bridge and tap of each network card."""
    interfaces = (INTERFACE, DIRECT_INTERFACE) if "direct" in record else (INTERFACE,)
    return [(name, _BRIDGES[name], f"tap{number}") for number, name in enumerate(interfaces)]


def become(folder: Path, server: str, record: JsonObject) -> None:
    """Turn this process into the machine; its mounts and its network are its own already.

    Raises:
        OSError: If the program is missing.
    """
    boot = folder / "early-boot"
    write_file(boot, (resources.files("stillup.lab") / "early-boot.sh").read_text(), 0o700)
    _RUN.mkdir(exist_ok=True)
    words = command(folder, boot, server, record)
    # Its memory is a nameless file there; the host's /tmp may be a disk.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/dev/shm"}  # noqa: S108  # nothing is left there
    os.execvpe(words[0], words, environment)  # noqa: S606  # an argument list


def command(folder: Path, boot: Path, server: str, record: JsonObject) -> list[str]:
    """Return the kernel's command line."""
    cards = [
        f"vec{number}:transport=tap,ifname={tap},depth=128,gro=1{mac}"
        for number, (_, _, tap) in enumerate(_cards(record))
        for mac in [f",mac={record['mac']}" if number == 0 else ""]
    ]
    return [
        PROGRAM,
        f"mem={_MEMORY}",
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={boot}"),
        *("con0=null,fd:1", "con=null", "loglevel=4"),
        *(f"uml_dir={_RUN}", f"umid={server}"),
        *cards,
        f"ubda={folder / DISK}",
        *(f"lab_image={record['image']}", f"lab_own={folder / 'upper'}", f"lab_modules={MODULES}"),
        *(f"systemd.mask={unit}" for unit in _IDLE_UNITS),
    ]
