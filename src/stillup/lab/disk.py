"""Makes a machine's disk: what is its own on top of the image, before its first boot.

An upper folder of an overlay that is not mounted may be written to. The record comes last:
a folder without one is a disk that was not finished, and is made anew.
"""

import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

from stillup.errors import LabFailed
from stillup.lab import uml
from stillup.lab.commands import run
from stillup.lab.names import DIRECT_INTERFACE, INTERFACE
from stillup.lab.state import Home, read_record, write_record
from stillup.node.message import JsonObject


@dataclass(frozen=True, slots=True)
class Disk:
    """What makes one machine different from the others."""

    name: str
    address: IPv4Interface
    mac: str
    image: Path
    direct: IPv4Interface | None = None
    """Its address in the second network, on eth1; None without one."""
    sixth: IPv6Interface | None = None
    """Its IPv6 address on the LAN; None without one."""

    console: IPv4Address | None = None
    """Where this host enters it from, if it runs as User-Mode Linux; None if it does not."""

    fuse: bool = False
    """Whether it mounts file systems that are processes (Gluster's) and needs the device for it."""

    own: bool = False
    """Whether what a container writes goes to a file system of its own, not to this host's."""

    @property
    def links(self) -> JsonObject:
        """What the machine's record says of its network, its kernel and its devices."""
        direct = {} if self.direct is None else {"direct": str(self.direct)}
        sixth = {} if self.sixth is None else {"sixth": str(self.sixth)}
        kernel = {} if self.console is None else {"kernel": uml.KIND, "console": str(self.console)}
        fuse = {"fuse": True} if self.fuse else {}
        own = {"own": True} if self.own else {}
        return {"address": str(self.address), **direct, **sixth, **kernel, **fuse, **own}


def is_as_wanted(home: Home, disk: Disk) -> bool:
    """Say whether a machine's disk is there and has its present address."""
    record = read_record(home.machine(disk.name) / "machine.json")
    return record is not None and _links(record) == disk.links


def ensure(home: Home, disk: Disk) -> None:
    """Make a machine's disk, or give an existing one its present address.

    The machine must be off: nobody may write below a mounted overlay.

    Raises:
        LabFailed: If the disk is full, or the image the machine was made from is gone.
    """
    folder = home.machine(disk.name)
    record = read_record(folder / "machine.json")
    if record is None:
        _make(home, disk)
        return
    image = Path(str(record["image"]))
    if not image.is_dir():
        raise LabFailed(
            f"{disk.name}'s image {image} is gone; `stillup lab down` and `stillup lab up`"
            " make the machines anew"
        )
    if _links(record) == disk.links:
        return
    try:
        _write_network(folder / "upper", image, disk)
        _make_writable(folder, disk)
    except OSError as error:
        raise LabFailed(f"cannot change {disk.name}'s disk: {error.strerror}") from error
    write_record(
        folder / "machine.json", {"mac": record["mac"], "image": record["image"], **disk.links}
    )


def host_key(home: Home, server: str) -> str:
    """Return a machine's public host key, as known_hosts has it (type and key)."""
    path = home.machine(server) / "upper/etc/ssh/ssh_host_ed25519_key.pub"
    return " ".join(path.read_text().split()[:2])


def make_key(path: Path, comment: str) -> None:
    """Make an SSH key pair at ``path``, or nothing: it is complete or not there."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(made)])
        made.with_suffix(".pub").rename(path.with_name(f"{path.name}.pub"))
        made.rename(path)


def _make(home: Home, disk: Disk) -> None:
    folder = home.machine(disk.name)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        upper = folder / "upper"
        shutil.copystat(disk.image, upper)
        _write_identity(home, upper, disk)
        _write_network(upper, disk.image, disk)
        _make_writable(folder, disk)
    except OSError as error:
        raise LabFailed(f"cannot make {disk.name}'s disk: {error.strerror}") from error
    write_record(
        folder / "machine.json",
        {"mac": disk.mac, "image": str(disk.image), **disk.links},
    )


def _make_writable(folder: Path, disk: Disk) -> None:
    """Make the file system that it writes to; what is on this host's own shows through."""
    if (disk.own or disk.console is not None) and not (folder / uml.DISK).exists():
        uml.make_disk(folder)


def _write_identity(home: Home, upper: Path, disk: Disk) -> None:
    image = disk.image
    _write(upper, image, "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    _write(upper, image, "etc/hostname", f"{disk.name}\n")
    _write(upper, image, "etc/hosts", f"127.0.0.1 localhost\n{disk.address.ip} {disk.name}\n")
    _write(upper, image, "etc/resolv.conf", "# The lab's LAN has no name server.\n")
    make_key(_folder(upper, image, "etc/ssh") / "ssh_host_ed25519_key", disk.name)
    key = home.key.with_name("id_ed25519.pub").read_text()
    _write(upper, image, "root/.ssh/authorized_keys", key, 0o600)
    _write(upper, image, "home/admin/.ssh/authorized_keys", key, 0o600)
    (upper / "root/.ssh").chmod(0o700)
    owner = (image / "home/admin").stat()
    for path in (upper / "home/admin/.ssh", upper / "home/admin/.ssh/authorized_keys"):
        os.chown(path, owner.st_uid, owner.st_gid)
    (upper / "home/admin/.ssh").chmod(0o700)


def _write_network(upper: Path, image: Path, disk: Disk) -> None:
    # ifupdown, Debian servers' own: it sets the address at boot and watches nothing after,
    # so that it does not fight with whoever manages the virtual IP.
    text = "auto lo\niface lo inet loopback\n"
    for name, address in ((INTERFACE, disk.address), (DIRECT_INTERFACE, disk.direct)):
        if address is not None:
            text += f"\nauto {name}\niface {name} inet static\n    address {address}\n"
        if name == INTERFACE and disk.sixth is not None:
            text += f"    up ip address add {disk.sixth} dev {name} nodad\n"
    _write(upper, image, "etc/network/interfaces", text)


_LINKS = ("address", "direct", "sixth", "kernel", "console", "fuse", "own")


def _links(record: JsonObject) -> JsonObject:
    return {key: record[key] for key in _LINKS if key in record}


def _write(upper: Path, image: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = _folder(upper, image, str(Path(name).parent)) / Path(name).name
    path.write_text(text)
    path.chmod(mode)


def _folder(upper: Path, image: Path, name: str) -> Path:
    """Make a folder in the upper layer with the owner and mode it has in the image."""
    path = upper
    for part in Path(name).parts:
        path /= part
        if path.is_dir():
            continue
        path.mkdir()
        below = image / path.relative_to(upper)
        if below.is_dir():
            status = below.stat()
            os.chown(path, status.st_uid, status.st_gid)
            path.chmod(status.st_mode & 0o7777)
    return path
