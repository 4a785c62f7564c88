"""What one look at the farm saw, as values: nothing here is judged yet.

Every server is either ``Reached`` or ``Unreached``: a server that does not answer is an
observation, not an error. What a server did not tell (it is no balancer, its daemon is
silent) is None, never a made-up value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a server's heartbeat daemon says of itself."""

    healthy: bool
    """Whether this server may hold the address; false on a balancer whose HAProxy is ill."""
    reason: str
    holding: tuple[str, ...]
    """The virtual IPs that this server holds by a lease that has not run out."""
    believed: Mapping[str, str | None]
    """The holder of each virtual IP as this daemon knows it."""
    since_s: Mapping[str, float | None]
    """For how long each virtual IP has had its holder, in seconds; None when not known."""
    heard_ms: Mapping[str, float | None]
    """How long ago each voter was heard, in milliseconds; None for never."""
    warnings: tuple[str, ...] = ()
    """What comes near to a fault there, a sentence each."""
    candidate: bool = True
    """Whether it may hold the address at all; the others only vote."""
    moved_at_s: tuple[float, ...] = ()
    """When the last changes of the holder were, in seconds since 1970 by the server's clock;
    with several virtual IPs, of the one that changed most."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One web server as one balancer's HAProxy sees it."""

    status: str
    """HAProxy's word: ``UP``, ``DOWN``, ``MAINT``, ``UP 1/3``, ``no check`` ..."""
    drained: bool
    drained_by: str | None = None
    """``user`` or ``apply``; None when it is not drained."""
    check: str = ""
    """What the last check said, ``L7STS/503`` for instance."""

    @property
    def up(self) -> bool:
        """Whether new users are sent to it: up, and not drained."""
        return not self.drained and self.status.startswith(("UP", "no check"))


@dataclass(frozen=True, slots=True)
class Database:
    """What the database server says of its MariaDB."""

    alive: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """What one of several database servers says of its copy, by its keeper's word."""

    well: bool
    """It is whole and current, and in the group that may write."""
    why: str = ""
    """What is missing for that."""
    leads: bool = False
    """It is the one that the web servers write to."""
    size: int = 0
    """How many servers are in its group, the arbiter with them; 0 outside of one."""


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """A server's copy of the shared files, or its mount of them."""

    well: bool
    why: str = ""
    """What is missing for that."""
    size: int = 0
    """Of a copy: how many servers are in its group now, the arbiter with them."""


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system of a server."""

    path: str = "/"
    """Where it is mounted."""
    free_bytes: int = 1 << 40
    size_bytes: int = 1 << 40
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answered, and what it said."""

    name: str
    units: Mapping[str, str] = field(default_factory=dict)
    """Each unit that the applied bundle wants, and systemd's word for its state."""
    load: float = 0.0
    disks: tuple[Disk, ...] = (Disk(),)
    """Each file system that the farm's data are on; at least one."""
    uptime_s: float = 0.0
    heartbeat: Heartbeat | None = None
    backends: Mapping[str, Backend] | None = None
    """The web servers as this balancer sees them; None when its HAProxy did not answer."""
    database: Database | None = None
    database_copy: DatabaseCopy | None = None
    """Where several servers have the database; None where this one has it alone."""
    firewall: bool = True
    """Whether its rules are in the kernel, where there should be any."""
    release: str | None = None
    applied_at_s: float | None = None
    """When a bundle was last applied, in seconds since 1970; None when none ever was."""
    bundle: str | None = None
    """The fingerprint of the bundle that was last applied."""
    wanted: str | None = None
    """The fingerprint of the bundle that the farm file now asks for; None when not known."""
    unfinished: bool = False
    """An apply was interrupted here and neither carried on nor taken back."""
    clock_ahead_s: float = 0.0
    """How far the server's clock is ahead of ours, good to ``took_s``."""
    took_s: float = 0.0
    """How long the answer took."""
    files_copy: SharedFiles | None = None
    """Its copy of the shared files, where several servers keep one; of the others None."""
    files_mount: SharedFiles | None = None
    """The shared files as they are mounted here, from several servers."""

    @property
    def fullest(self) -> Disk:
        """The file system with the least share free."""
        return min(self.disks, key=lambda disk: disk.free_bytes / max(disk.size_bytes, 1))


@dataclass(frozen=True, slots=True)
class Unreached:
    """A server that gave no answer, and the one sentence that says why."""

    name: str
    reason: str
    code: str
    """The error's code: ``server-unreachable``, ``server-refused`` or ``server-failed``."""


Seen: TypeAlias = Reached | Unreached


@dataclass(frozen=True, slots=True)
class Asked:
    """One real request through a virtual IP, made from one of the farm's servers."""

    by: str
    url: str
    status: int | None
    """The HTTP status; None when there was no answer."""
    took_s: float
    error: str = ""
    balancer: str | None = None
    """Who answered, by its own word."""
    expires_in_s: float | None = None
    """How long the certificate shown is still valid; None without TLS."""

    @property
    def answered(self) -> bool:
        """Whether a user would have been served."""
        return self.status is not None and self.status < 400


@dataclass(frozen=True, slots=True)
class Backups:
    """The farm's backups, as far as this machine can see them."""

    newest_at_s: float | None
    """When the newest was made, in seconds since 1970; None when there is none."""
    every_s: float | None
    """How often one should be made; None when it is not known."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at the whole farm: every server of the farm file, in its order."""

    at_s: float
    """When, in seconds since 1970; a person reads it."""
    servers: tuple[Seen, ...]
    asked: tuple[Asked, ...] = ()
    backups: Backups | None = None
    """None where the farm file asks for none, or they are on another machine."""

    def reached(self, name: str) -> Reached | None:
        """Return what the server of that name said, or None when it said nothing."""
        return next((s for s in self.servers if s.name == name and isinstance(s, Reached)), None)
