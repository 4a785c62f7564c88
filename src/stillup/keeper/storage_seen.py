"""What a storage keeper sees of its own server, of Gluster's pool and of the volume: values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Disk(Enum):
    """What lies in this server's brick folder."""

    EMPTY = "empty"
    OURS = "ours"
    """It bears the volume's mark."""
    BARE = "bare"
    """It bears the mark of another volume, or of one that nobody knows, and holds no file: what is
    left when the making of a volume fails half way."""
    AWAY = "away"
    """The disk on which it lay is not mounted."""
    FOREIGN = "foreign"
    """Files without the volume's mark, or with another's: somebody's, and not ours to take."""


@dataclass(frozen=True, slots=True)
class Brick:
    """A member's copy in the volume, by its server's address."""

    address: str
    is_arbiter: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume as this server's Gluster knows it."""

    bricks: tuple[Brick, ...]
    id: str = ""
    """Its UUID, which is also the mark on its bricks."""
    started: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> frozenset[str]:
        """The servers that have a brick."""
        return frozenset(brick.address for brick in self.bricks)


@dataclass(frozen=True, slots=True)
class Storage:
    """One look."""

    answers: bool
    """Whether this server's Gluster answers."""
    volume: Volume | None = None
    connected: frozenset[str] = frozenset()
    """The addresses of the other servers in the pool that are connected and at one with us."""
    known: frozenset[str] = frozenset()
    """The addresses of all other servers in the pool."""
    elsewhere: Mapping[str, bool | None] = field(default_factory=dict)
    """Of each other member, whether it knows a volume; None if it does not answer. Only asked
    while this server knows none."""
    disk: Disk = Disk.EMPTY
    runs: bool = False
    """Whether this server's brick runs."""
    pending: int = 0
    """How many files this server knows to be behind on another one."""
    pending_since_s: float = 0.0
    """For how long there has been at least one."""
    unsure_since_s: float = 0.0
    """For how long ``unsure`` has been so."""
    unsure: bool = False
    """Every member is connected since a short while only, and it is not known yet whether files are
    behind that no server knows of for itself, as after all of them lost their power at once."""
    whole: bool | None = None
    """Whether every brick runs and none has anything to heal; None where it was not asked."""
