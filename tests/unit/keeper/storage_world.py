"""A small world of storage servers: what lies on their disks, who is up, and what a step does.

It knows of one write at a time: a brick that has it is fresh, one that was away is behind.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from stillup.keeper import storage_step as step
from stillup.keeper.storage_seen import Brick, Disk, Storage, Volume
from stillup.keeper.storage_settings import StorageSettings, read_settings

ADDRESSES = {"s1": "10.0.0.1", "s2": "10.0.0.2", "s3": "10.0.0.3", "a": "10.0.0.4"}
FARMS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "two": (("s1", "s2", "a"), "a"),
    "three": (("s1", "s2", "s3"), None),
    "moved": (("s1", "s3", "a"), "a"),
}


@cache
def settings(farm: str, name: str) -> StorageSettings:
    """Return what the farm file says to one server."""
    names, arbiter = FARMS[farm]
    members = {name: ADDRESSES[name] for name in names}
    given: dict[str, object] = {
        "farm": "t",
        "name": name,
        "members": members,
        "arbiter": arbiter,
        "clients": [],
    }
    return read_settings(json.dumps(given))


class Broken(AssertionError):
    """A step did what must never happen."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server: its power, and what is on its disk."""

    name: str
    on: bool = False
    cut: bool = False
    """On, and out of the others' reach."""
    version: int = 0
    """Which of the volume's layouts its Gluster knows; 0 for none."""
    disk: Disk = Disk.EMPTY
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """All servers, and the volume as the newest of them knows it."""

    farm: str
    servers: tuple[Server, ...] = tuple(Server(name) for name in ADDRESSES)
    bricks: tuple[Brick, ...] = ()
    version: int = 0
    started: bool = False
    options: bool = False

    def server(self, address: str) -> Server:
        """Return the server of that address."""
        return next(s for s in self.servers if ADDRESSES[s.name] == address)

    def with_servers(self, *changed: Server) -> "World":
        """Return the world with these servers as they are now."""
        new = {server.name: server for server in changed}
        return replace(self, servers=tuple(new.get(s.name, s) for s in self.servers))

    def together(self, server: Server) -> list[Server]:
        """Return the servers that ``server`` reaches, itself among them."""
        return [s for s in self.servers if s == server or (s.on and not s.cut and not server.cut)]

    def runs(self, server: Server) -> bool:
        """Whether its brick runs."""
        mine = any(brick.address == ADDRESSES[server.name] for brick in self.bricks)
        return server.on and mine and self.started and server.disk is Disk.OURS

    def settled(self) -> "World":
        """Return the world after Gluster's own work: its servers tell each other the layout."""
        there = [s for s in self.servers if s.on and not s.cut]
        known = max((s.version for s in there), default=0)
        return self.with_servers(*(replace(s, version=known) for s in there))

    def healed(self) -> "World":
        """Return the world after self-heal among the bricks that reach each other."""
        there = [s for s in self.servers if self.runs(s) and not s.cut]
        data = {b.address for b in self.bricks if not b.is_arbiter}
        if not any(s.fresh and ADDRESSES[s.name] in data for s in there):
            return self
        return self.with_servers(*(replace(s, fresh=True) for s in there))

    def copies(self) -> list[Server]:
        """Return the servers whose brick has the last write."""
        data = [self.server(b.address) for b in self.bricks if not b.is_arbiter]
        return [server for server in data if server.disk is Disk.OURS and server.fresh]

    def seen(self, server: Server) -> Storage:
        """Return what ``server``'s keeper sees."""
        knows = server.version == self.version > 0
        others = [s for s in self.together(server) if s != server]
        volume = Volume(
            self.bricks,
            started=self.started,
            options=settings(self.farm, server.name).options if self.options else {},
        )
        bricks = [self.server(b.address) for b in self.bricks]
        return Storage(
            answers=True,
            volume=volume if knows else None,
            connected=frozenset(ADDRESSES[s.name] for s in others),
            known=frozenset(ADDRESSES[s.name] for s in self.servers if s != server),
            elsewhere={
                a: (self.server(a).version > 0 if self.server(a) in others else None)
                for a in ADDRESSES.values()
            },
            disk=server.disk,
            runs=self.runs(server),
            whole=all(self.runs(b) and b.fresh and b in self.together(server) for b in bricks),
        )

    def next_steps(self) -> Iterator[tuple[Server, step.Step]]:
        """Yield what each member that is on would do now."""
        for server in self.servers:
            if server.on and server.name in FARMS[self.farm][0]:
                farm = settings(self.farm, server.name)
                yield server, step.next_storage_step(farm, self.seen(server))

    def done(self, server: Server, wanted: step.Step) -> "World":
        """Return the world after ``server`` did a step.

        Raises:
            Broken: If that must never happen.
        """
        match wanted:
            case step.Create(bricks):
                return self._created(bricks)
            case step.Clear():
                _never(server.disk is not Disk.BARE, "a mark taken off files")
                return self.with_servers(replace(server, disk=Disk.EMPTY))
            case step.Start():
                return replace(self, started=True)
            case step.SetOptions():
                return replace(self, options=True)
            case step.ResetBrick():
                _never(server.disk is not Disk.EMPTY, "files emptied")
                return self.with_servers(replace(server, disk=Disk.OURS, fresh=False))
            case step.ReplaceBrick() | step.RemoveBrick() | step.AddBrick():
                return self._changed(server, wanted)
            case step.Detach(address):
                _never(any(b.address == address for b in self.bricks), "a brick's server let go")
                return self
            case step.Wait() | step.Rest() | step.Compare() | step.Heal():
                return self

    def _changed(
        self, server: Server, wanted: step.ReplaceBrick | step.RemoveBrick | step.AddBrick
    ) -> "World":
        match wanted:
            case step.ReplaceBrick(old, new):
                kinds = {b.address: b.is_arbiter for b in self.bricks}
                added = Brick(new, kinds[old])
                bricks = tuple(added if b.address == old else b for b in self.bricks)
                return self._laid_out(server, bricks, gone=old, came=new)
            case step.RemoveBrick(address, left):
                bricks = tuple(b for b in self.bricks if b.address != address)
                _never(len(bricks) != left, "miscounted")
                return self._laid_out(server, bricks, gone=address)
            case step.AddBrick(brick, count):
                _never(len(self.bricks) + 1 != count, "miscounted")
                return self._laid_out(server, (*self.bricks, brick), came=brick.address)

    def _created(self, bricks: tuple[Brick, ...]) -> "World":
        _never(any(s.version for s in self.servers), "a second volume")
        if any(s.disk is Disk.BARE for s in self.servers):
            return self  # Gluster refuses.
        _never(any(s.disk is not Disk.EMPTY for s in self.servers), "over files")
        owners = [self.server(b.address) for b in bricks]
        made = [replace(s, disk=Disk.OURS, fresh=True, version=1) for s in owners]
        return replace(self, bricks=bricks, version=1).with_servers(*made)

    def _laid_out(
        self, by: Server, bricks: tuple[Brick, ...], *, gone: str = "", came: str = ""
    ) -> "World":
        if came and self.server(came).disk is not Disk.EMPTY:
            return self  # Gluster refuses a folder that belonged to a volume.
        reached = [s for s in self.together(by) if s.version == self.version]
        _never(len(reached) * 2 <= len(FARMS[self.farm][0]), "by a minority")
        version = self.version + 1
        after = replace(self, bricks=bricks, version=version).with_servers(
            *(replace(s, version=version) for s in reached)
        )
        if gone:
            # What was its brick is nobody's now; a person may want it.
            after = after.with_servers(replace(after.server(gone), disk=Disk.FOREIGN, fresh=False))
        if came:
            after = after.with_servers(replace(after.server(came), disk=Disk.OURS, fresh=False))
        _never(not after.copies(), "the last copy gone")
        return after


def _never(happened: bool, what: str) -> None:  # noqa: FBT001
    if happened:
        raise Broken(what)
