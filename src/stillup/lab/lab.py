"""The lab as a whole: up, down, power, cuts. Every operation may be interrupted and repeated."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from threading import Event

from stillup.errors import InputRefused, LabFailed
from stillup.lab import (
    cgroup,
    disk,
    forwarding,
    inotify,
    kernels,
    machine,
    network,
    preflight,
    returning,
)
from stillup.lab.image import image
from stillup.lab.names import client_address, console_address, mac, on_direct, sixth
from stillup.lab.state import (
    LABS,
    Home,
    Report,
    home_of,
    locked,
    read_record,
    write_file,
    write_record,
)
from stillup.model.farm import Farm, Role, Server
from stillup.parts import storage

_BOOT_S = 90.0
_UML_BOOT_S = 240.0
"""User-Mode Linux takes each system call to another process: on a busy host it boots slowly."""
_TRIAL_S = 60.0


def _silent(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """How one machine stands."""

    name: str
    address: str
    roles: tuple[str, ...]
    on: bool
    cut: str | None
    memory_bytes: int
    as_uml: bool
    """It runs as User-Mode Linux, for want of something in this host's kernel."""


class Lab:
    """The lab of one farm."""

    def __init__(self, farm: Farm, farm_path: Path, report: Report = _silent) -> None:
        """Speak of a lab, which need not be there yet."""
        self.farm = farm
        self.farm_path = farm_path.resolve()
        self.home = home_of(farm.name, farm_path)
        self._report = report

    def up(self, servers: Iterable[str] | None = None, *, own_disks: bool = False) -> None:
        """Boot every server that is off (or only those named) and wait until sshd answers.

        With ``own_disks`` machines that are made now get a file system of their own.

        Raises:
            LabFailed: If this host cannot, or a machine does not boot.
        """
        chosen = self._chosen(servers)
        LABS.mkdir(mode=0o700, parents=True, exist_ok=True)
        preflight.check(LABS)
        inotify.ensure(self._report)
        tree = image(self._report)
        with locked(self.home, "up", self._report):
            self._prepare()
            self._remove_strangers()
            client = client_address(self.farm)
            lan = network.Lan(self.farm.lan, client, sixth(self.farm, client))
            network.ensure(self.home, lan)
            as_uml = self._as_uml()
            disks = tuple(self._disk(one, tree, as_uml, own=own_disks) for one in chosen)
            self._boot_all(chosen, disks)
            self._write_known_hosts()
            forwarding.ensure(self.home, str(self.farm.vip.first))

    def power(self, name: str, *also: str, on: bool, for_s: float | None = None) -> None:
        """Pull servers' plugs, or switch them on again and wait until they are ready.

        Args:
            name: The server.
            also: Others whose plugs are pulled in the same moment.
            on: Switch them on; otherwise off.
            for_s: Off, they come on again by themselves so many seconds later, whatever becomes
                of this command; None leaves them off.
        """
        servers = [self.server(each) for each in (name, *also)]
        with locked(self.home, f"power {'on' if on else 'off'}", self._report):
            self._require()
            for server in servers:
                returning.disarm(self.home, returning.POWER, server.name)
                if for_s is not None:
                    returning.arm(self.home, returning.POWER, server.name, for_s)
            for server in servers:
                (machine.power_on if on else machine.power_off)(self.home, server.name)
            for server in servers if on else ():
                self._wait_ready(server, Event())

    def cut(
        self,
        name: str,
        *,
        silent: bool = False,
        others: Iterable[str] = (),
        one_way: bool = False,
        direct: bool = False,
        for_s: float | None = None,
    ) -> None:
        """Cut a server off the LAN, or off the second network.

        Args:
            name: The server, or ``client``.
            silent: Keep the link up and drop the frames; otherwise the cable is pulled.
            others: Cut it from these only (always silent).
            one_way: Drop only what ``name`` sends (always silent).
            direct: Cut its link to the second network, and not the one to the LAN.
            for_s: What this cuts is whole again by itself so many seconds later, whatever becomes of
                this command; None leaves it cut.

        Raises:
            InputRefused: If a server is none of the farm's, or is not on the second network.
        """
        partners = tuple(others)
        for known in (name, *partners):
            self._known(known)
            if direct:
                self._require_direct(known)
        if direct:
            name, partners = on_direct(name), tuple(map(on_direct, partners))
        with locked(self.home, "cut", self._report):
            self._require()
            before = network.cuts(self.home)
            if silent or partners or one_way:
                after = before.with_silence(name, partners, one_way=one_way)
            else:
                after = before.with_carrier(name)
            if for_s is not None:
                cut = after.without(before)
                returning.arm(self.home, returning.CUT, name.partition(".")[2] or name, for_s, cut)
            network.change_cuts(self.home, after)

    def heal(self, name: str | None = None) -> None:
        """Make all links of a server whole, or (None) all links of the lab."""
        if name is not None:
            self._known(name)
        with locked(self.home, "heal", self._report):
            self._require()
            returning.disarm(self.home, returning.CUT, name)
            network.change_cuts(self.home, network.cuts(self.home).healed(name))

    def down(self) -> None:
        """Remove the lab; see ``down``."""
        down(self.home, self._report)

    def state(self) -> tuple[MachineState, ...]:
        """Return how each machine stands, in the farm file's order."""
        cuts = network.cuts(self.home)
        return tuple(
            MachineState(
                server.name,
                str(server.address),
                tuple(sorted(server.roles)),
                machine.is_on(self.home, server.name),
                cuts.describe(server.name),
                machine.memory_bytes(self.home, server.name),
                machine.is_uml(self.home, server.name),
            )
            for server in self.farm.servers
        )

    @property
    def client(self) -> IPv4Address:
        """The client's address on the LAN."""
        return client_address(self.farm)

    def is_up(self) -> bool:
        """Say whether the lab's network is there; machines may be off nevertheless."""
        return bool(network.ports(self.home))

    def forwards(self) -> tuple[str, ...]:
        """Return the addresses on this host's loopback that lead to the virtual IP."""
        return forwarding.addresses(self.home)

    def _prepare(self) -> None:
        """Make the lab's folder with what every machine needs; the record comes last."""
        clear_leftovers()
        try:
            self.home.path.mkdir(mode=0o700, exist_ok=True)
            (self.home.path / "machines").mkdir(exist_ok=True)
        except OSError as error:
            raise LabFailed(f"cannot make {self.home.path}: {error.strerror}") from error
        if not self.home.key.exists():
            disk.make_key(self.home.key, f"stillup lab {self.home.id}")
        lines = ["127.0.0.1 localhost"]
        lines += [f"{self.farm.vip.first} {host}" for host in self.farm.site.hosts]
        lines += [f"{server.address} {server.name}" for server in self.farm.servers]
        lines.append(f"{self.client} client")
        write_file(self.home.hosts, "\n".join([*lines, ""]), 0o644)
        write_record(self.home.record, {"farm": self.farm.name, "farm_file": str(self.farm_path)})

    def _remove_strangers(self) -> None:
        """Take away machines that the farm file no longer has."""
        for name in self.home.machines():
            if self.farm.server(name) is None:
                self._report(f"{name} is not in the farm file any more: removed")
                machine.remove(self.home, name)

    def _as_uml(self) -> frozenset[str]:
        """Return the machines that run as User-Mode Linux; one that ever did keeps its disk."""
        users = kernels.nfs_users(self.farm)
        there = {name for name in self.home.machines() if machine.is_uml(self.home, name)}
        if not users or kernels.has_nfs():
            return frozenset(there)
        kernels.refuse_balancers(users)
        kernels.ensure_uml(self._report)
        names = [server.name for server in users]
        self._report(
            f"this machine's kernel has no NFS: as User-Mode Linux boot {', '.join(names)}"
        )
        return frozenset(there.union(names))

    def _boot_all(self, servers: tuple[Server, ...], disks: tuple[disk.Disk, ...]) -> None:
        """Boot them all at once; the first that fails, or Ctrl-C, ends the wait for the others."""
        stop = Event()
        with ThreadPoolExecutor(max(len(servers), 1)) as pool:
            boots = [
                pool.submit(self._boot, wanted, server, stop)
                for server, wanted in zip(servers, disks, strict=True)
            ]
            try:
                for boot in as_completed(boots):
                    boot.result()
            except BaseException:
                stop.set()
                raise

    def _disk(self, server: Server, tree: Path, as_uml: frozenset[str], *, own: bool) -> disk.Disk:
        if machine.exists(self.home, server.name):
            has = machine.has_own_disk(self.home, server.name)
            if own and not has and server.name not in as_uml:
                self._report(
                    f"{server.name} keeps the disk it has; `lab down` first gives it its own"
                )
            own = has
        return disk.Disk(
            server.name,
            IPv4Interface((server.address, self.farm.lan.prefixlen)),
            mac(self.home.id, server.name),
            tree,
            self._direct(server),
            sixth(self.farm, server.address),
            console_address(self.farm) if server.name in as_uml else None,
            fuse=_mounts_by_fuse(self.farm, server),
            own=own and server.name not in as_uml,
        )

    def _boot(self, wanted: disk.Disk, server: Server, stop: Event) -> None:
        on = machine.is_on(self.home, server.name)
        # A machine whose switch died has no link any more, and gets one only by booting.
        if on and not self._is_plugged(server.name):
            machine.power_off(self.home, server.name)
        if not disk.is_as_wanted(self.home, wanted):
            machine.power_off(self.home, server.name)
            disk.ensure(self.home, wanted)
        machine.power_on(self.home, server.name)
        if not self._wait_ready(server, stop):
            return
        self._report(f"{server.name} is up at {server.address}")

    def _wait_ready(self, server: Server, stop: Event) -> bool:
        within_s = _UML_BOOT_S if machine.is_uml(self.home, server.name) else _BOOT_S
        return machine.wait_ready(self.home, server.name, server.address, within_s, stop)

    def _direct(self, server: Server) -> IPv4Interface | None:
        if self.farm.direct is None or server.direct is None:
            return None
        return IPv4Interface((server.direct, self.farm.direct.prefixlen))

    def _is_plugged(self, name: str) -> bool:
        # Just started, it may have no port yet: only one that has booted is told to be lost.
        booted = machine.init(self.home, name) is not None
        return not booted or network.has_port(self.home, name)

    def _write_known_hosts(self) -> None:
        lines = [
            f"{server.address},{server.name} {disk.host_key(self.home, server.name)}\n"
            for server in self.farm.servers
            if machine.exists(self.home, server.name)
        ]
        write_file(self.home.known_hosts, "".join(lines))

    def _chosen(self, names: Iterable[str] | None) -> tuple[Server, ...]:
        if names is None:
            return self.farm.servers
        return tuple(self.server(name) for name in names)

    def server(self, name: str) -> Server:
        """Return a server of the farm.

        Raises:
            InputRefused: If there is none of that name.
        """
        server = self.farm.server(name)
        if server is None:
            known = ", ".join(server.name for server in self.farm.servers)
            raise InputRefused(f"{name} is not a server of this farm; there are {known}")
        return server

    def _known(self, name: str) -> None:
        if name != "client":
            self.server(name)

    def _require_direct(self, name: str) -> None:
        server = self.farm.server(name)
        if server is None or server.direct is None:
            raise InputRefused(f"{name} is not on a second network; see network.direct")

    def _require(self) -> None:
        if read_record(self.home.record) is None or not self.is_up():
            raise LabFailed("this farm's lab is not up; `stillup lab up` starts it")


def down(home: Home, report: Report = _silent) -> None:
    """Remove a lab: its machines with their disks, its network, its forwarder, its keys.

    The image stays. Works whatever state the lab is in, and where there is none.
    """
    if not home.path.parent.is_dir():
        return
    with locked(home, "down", report):
        cgroup.kill(cgroup.group_of(home.id))
        cgroup.forget(home.id)
        clear_leftovers()
        if home.path.is_dir():
            # Renamed first: a removal that is interrupted leaves no half lab.
            gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=home.path.parent))
            home.path.rename(gone / "lab")
            _remove(gone)


def clear_leftovers() -> None:
    """Finish the removals that were interrupted, and forget the trials of killed commands."""
    trials = [path for path in LABS.glob(f"{preflight.TRIAL}*") if _is_old(path)]
    for leftover in [*LABS.glob(".gone-*"), *trials]:
        _remove(leftover)


def _is_old(path: Path) -> bool:
    """Say whether a folder is too old to be another command's that runs just now."""
    try:
        return time.time() - path.stat().st_mtime > _TRIAL_S
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    """Remove a folder that another command may be removing too: what is gone is gone."""
    while folder.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


def list_labs() -> tuple[Home, ...]:
    """Return the labs of this host."""
    if not LABS.is_dir():
        return ()
    return tuple(Home(path) for path in sorted(LABS.iterdir()) if not path.name.startswith("."))


def _mounts_by_fuse(farm: Farm, server: Server) -> bool:
    return storage.is_several(farm) and (
        server in storage.members(farm) or Role.WEB in server.roles
    )
