"""The bundle: everything one server should have, as a value that travels as JSON.

The controller makes it (``stillup.parts``), the server compares itself with it and applies
it (``stillup.node``). Order inside a tuple is the order of application. Standard library
only: this module runs on the servers.

The order in which a server takes a bundle over:
packages, users, directories, sysctls; then all files and links are written beside, every
``Check`` runs on a view of the file system in which they are already in place, they are
swapped in atomically, ``Command`` s run, units are enabled, reloaded, restarted or started as
``Unit.reload_on`` and ``Unit.restart_on`` say, the ``Command`` s that need a unit run, and every
``Health`` is awaited. When one of these does not pass, what was there before is put back.
"""

from dataclasses import dataclass, field

FORMAT = 1


@dataclass(frozen=True, slots=True)
class User:
    """A system account."""

    name: str
    home: str
    shell: str = "/usr/sbin/nologin"
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder with its mode and owner; what is in it is left alone."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, slots=True)
class File:
    """A file's whole text. ``secret`` files are never shown in a difference."""

    path: str
    text: str = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A path that must not exist (a package's default that would be in the way)."""

    path: str


@dataclass(frozen=True, slots=True)
class Check:
    """An engine's own checker, run when one of ``paths`` (or what is below it) would change."""

    name: str
    argv: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A guarded command: runs ``argv`` unless ``unless`` exits 0. Secrets go by ``stdin`` only.

    It runs before the units are started, reloaded or restarted; one that ``needs`` a unit (the
    database, to make a user in it) runs after all of them. One that fails is run again until
    ``within_s`` seconds are over: what it asks may be busy, as a database is with a member that joins.
    """

    name: str
    argv: tuple[str, ...]
    unless: tuple[str, ...]
    stdin: str = field(default="", repr=False)
    unless_stdin: str = field(default="", repr=False)
    needs: str = ""
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit: its wanted state, and which changed paths make it reload or restart.

    A path that ends in ``/`` stands for everything below it. Restart wins over reload.
    """

    name: str
    enabled: bool = True
    running: bool = True
    reload_on: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What must become true after a change, within ``within_s`` seconds: ``argv`` exits 0."""

    name: str
    argv: tuple[str, ...]
    within_s: float = 15.0


IF_THERE = "-"
"""Before a sysctl's name, as in sysctl.d(5): not every kernel has it, and one without it does without."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything one server should have."""

    farm: str
    server: str
    packages: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    directories: tuple[Directory, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    absent: tuple[Absent, ...] = ()
    checks: tuple[Check, ...] = ()
    commands: tuple[Command, ...] = ()
    units: tuple[Unit, ...] = ()
    healths: tuple[Health, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server tells of itself before a bundle can be made for it."""

    debian: int
    """Debian's major version, 12 or 13."""
    php: str
    """The PHP version of that Debian: ``8.2`` or ``8.4``."""
    interface: str
    """The interface that carries the server's LAN address, ``eth0`` for instance."""
    python: str
    """The server's Python, ``3.13`` for instance."""
    ssh_port: int = 0
    """The port that this session came in by, on the server; 0 when that is not known."""
    filters: bool = True
    """Whether its kernel has nftables for IP. Only a lab's machine that runs as User-Mode Linux
    says no; on a server without it, an apply fails when it loads the firewall."""
