"""What a storage keeper does next, from any state: pure, and safe to interrupt anywhere.

Gluster itself replicates, votes and heals. What it leaves to a person is here: making the
volume, giving an emptied server its files back, and following the farm file when servers come
and go. Every member runs the same function on what it sees; the first connected one acts for
all, each acts for its own brick.

What holds whatever is seen:

1. A volume is *made* only by the first member, only when every member answers, is in the pool
   and knows of none, and never over a folder that holds anything. A server that comes back empty
   while others have the volume can therefore not begin another one. What a making that failed
   left behind (a mark, and no file) is cleared first.
2. A brick is *given back its files* only when its folder is empty and it is not running, and
   only while a majority is connected, a server with the files among them. A folder that holds
   something is never emptied, and never taken for a brick. Nothing is done at all while the disk
   on which the brick lay is not mounted: what is seen in its place is not the brick.
3. The *set of bricks* changes by one at a time, by the first connected member alone, and a brick
   goes only when all members are connected and every brick is whole: so each of those that stay
   holds everything. The last brick with files never goes.
4. Without a majority of the members nothing is changed at all.
5. Whoever left the farm file is let go of only when it has no brick any more.
"""

from dataclasses import dataclass
from typing import TypeAlias

from stillup.keeper.storage_seen import Brick, Disk, Storage, Volume
from stillup.keeper.storage_settings import DISK_MARK, StorageSettings

AWAY = (
    "the disk that held this server's files is not mounted: mount it; if it is gone for good, remove "
    f"{DISK_MARK}, and the files are copied here anew"
)
HEAL_AFTER_S = 90.0
"""Gluster heals at once and looks again every minute; what is still behind then needs a push."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now; ``why`` is one sentence for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Rest:
    """All is as it should be, as far as this server can tell."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Take the mark of a volume that never came to be off this server's folder without files."""


@dataclass(frozen=True, slots=True)
class Create:
    """Make the volume of these bricks."""

    bricks: tuple[Brick, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start the volume, or the bricks of it that do not run."""


@dataclass(frozen=True, slots=True)
class SetOptions:
    """Set these options of the volume."""

    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ResetBrick:
    """Take this server's empty folder as its brick; Gluster then copies everything into it."""


@dataclass(frozen=True, slots=True)
class ReplaceBrick:
    """Move a brick to another server."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RemoveBrick:
    """Take a brick out of the volume; ``left`` bricks stay."""

    address: str
    left: int


@dataclass(frozen=True, slots=True)
class AddBrick:
    """Put a brick into the volume, which then has ``count`` of them."""

    brick: Brick
    count: int


@dataclass(frozen=True, slots=True)
class Detach:
    """Let a server go that has no brick any more."""

    address: str


@dataclass(frozen=True, slots=True)
class Compare:
    """Ask Gluster whether the copies differ in anything."""


@dataclass(frozen=True, slots=True)
class Heal:
    """Look at every file that is behind, which makes Gluster heal it."""


Step: TypeAlias = (
    Wait
    | Rest
    | Clear
    | Create
    | Start
    | SetOptions
    | ResetBrick
    | ReplaceBrick
    | RemoveBrick
    | AddBrick
    | Detach
    | Compare
    | Heal
)


def next_storage_step(settings: StorageSettings, seen: Storage) -> Step:
    """Return the one next thing to do. See above for what always holds."""
    wanted = _change(settings, seen)
    return Compare() if wanted == Rest() and seen.unsure else wanted


def _change(settings: StorageSettings, seen: Storage) -> Step:
    if seen.disk is Disk.AWAY:
        return Wait(AWAY)
    if not seen.answers:
        return Wait("Gluster does not answer on this server")
    if seen.volume is None:
        return _without_volume(settings, seen)
    if not _majority(settings, seen.connected):
        return Wait(f"no majority: {_missing(settings, seen.connected)} not connected")
    own = _own_brick(settings, seen, seen.volume)
    if own is not None:
        return own
    if not _acts(settings, seen.connected):
        return Rest()
    return _for_all(settings, seen, seen.volume)


def well(settings: StorageSettings, seen: Storage) -> str:
    """Return why this server's own copy is not well, and "" when it is.

    Files that *others* are behind with count as well: when every member says that it is well, every
    copy is whole.
    """
    if seen.disk is Disk.AWAY:
        return AWAY
    if not seen.answers:
        return "Gluster does not answer"
    if seen.volume is None:
        return "there is no volume yet"
    if not seen.volume.started:
        return "the volume is not started"
    if not _majority(settings, seen.connected):
        return "no majority of the storage's servers is connected"
    if settings.own.address not in seen.volume.addresses:
        return "it is not part of the volume yet"
    if not seen.runs:
        return "its brick does not run"
    if seen.pending:
        return f"{seen.pending} {'file is' if seen.pending == 1 else 'files are'} still to heal"
    if seen.unsure:
        return "all its servers are together again, and their copies are being compared"
    return ""


def _without_volume(settings: StorageSettings, seen: Storage) -> Step:
    others = [member for member in settings.members if member != settings.own]
    having = [m.name for m in others if seen.elsewhere.get(m.address)]
    if having:
        return Wait(f"{having[0]} knows the volume and will tell this server of it")
    if seen.disk in {Disk.OURS, Disk.FOREIGN}:
        return Wait("no server knows the volume, and this server's brick folder holds files")
    silent = [m.name for m in others if seen.elsewhere.get(m.address) is None]
    if silent:
        return Wait(f"the volume is made when every server answers; {' and '.join(silent)} not yet")
    if seen.disk is Disk.BARE:
        return Clear()
    if settings.own != settings.members[0]:
        return Wait(f"{settings.members[0].name} makes the volume")
    apart = _missing(settings, seen.connected)
    if apart:
        return Wait(f"the volume is made when every server is connected; {apart} not yet")
    return Create(tuple(Brick(m.address, m.is_arbiter) for m in settings.members))


def _own_brick(settings: StorageSettings, seen: Storage, volume: Volume) -> Step | None:
    """Return what is to be done about this server's own brick, or None when it is well."""
    own = settings.own.address
    if own not in volume.addresses or seen.runs or not volume.started:
        return None
    if seen.disk is Disk.FOREIGN:
        return Wait("this server's brick folder holds files that are not the volume's")
    if seen.disk is Disk.OURS:
        return Start()
    if seen.disk is Disk.BARE:
        return Clear()
    sources = {b.address for b in volume.bricks if not b.is_arbiter} - {own}
    if not sources & seen.connected:
        return Wait("this server's brick is empty, and no other server with the files is connected")
    return ResetBrick()


def _for_all(settings: StorageSettings, seen: Storage, volume: Volume) -> Step:
    changed = tuple(
        (name, value)
        for name, value in settings.options.items()
        if volume.options.get(name) != value
    )
    if changed:
        # Before it starts: who may mount it is one of them.
        return SetOptions(changed)
    if not volume.started:
        return Start()
    step = _layout(settings, seen, volume)
    if step is not None:
        return step
    members = {member.address for member in settings.members}
    for address in sorted(seen.known - members - volume.addresses):
        return Detach(address)
    behind_since_s = seen.pending_since_s if seen.pending else seen.unsure_since_s
    if (seen.pending or seen.unsure) and behind_since_s > HEAL_AFTER_S:
        return Heal()
    return Rest()


def _layout(settings: StorageSettings, seen: Storage, volume: Volume) -> Step | None:
    """Return the next step from the bricks that there are to those of the farm file."""
    wanted = {m.address: Brick(m.address, m.is_arbiter) for m in settings.members}
    extra = [brick for brick in volume.bricks if brick not in wanted.values()]
    missing = [brick for a, brick in wanted.items() if brick not in volume.bricks]
    if not extra and not missing:
        return None
    apart = _missing(settings, seen.connected)
    if apart:
        return Wait(f"the bricks change when every server is connected; {apart} not")
    if not extra:
        return AddBrick(missing[0], len(volume.bricks) + 1)
    if not seen.whole:
        return Wait("the bricks change when every copy is whole")
    old = extra[0]
    new = next((brick for brick in missing if brick.is_arbiter == old.is_arbiter), None)
    if new is not None and new.address != old.address:
        return ReplaceBrick(old.address, new.address)
    stay = [brick for brick in volume.bricks if brick != old and not brick.is_arbiter]
    if not stay or (not old.is_arbiter and any(b.is_arbiter for b in volume.bricks)):
        return Wait(f"{settings.named(old.address)} cannot go: too few copies would be left")
    return RemoveBrick(old.address, len(volume.bricks) - 1)


def _majority(settings: StorageSettings, connected: frozenset[str]) -> bool:
    here = sum(1 for m in settings.members if m == settings.own or m.address in connected)
    return here * 2 > len(settings.members)


def _acts(settings: StorageSettings, connected: frozenset[str]) -> bool:
    first = next(m for m in settings.members if m == settings.own or m.address in connected)
    return first == settings.own


def _missing(settings: StorageSettings, connected: frozenset[str]) -> str:
    apart = (m for m in settings.members if m != settings.own and m.address not in connected)
    return " and ".join(member.name for member in apart)
