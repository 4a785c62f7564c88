"""What a server was seen to have, as values: one side of the comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stillup.node.world import Account


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A regular file."""

    data: bytes = field(repr=False)
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class SeenLink:
    """A symbolic link, and whether it leads to a folder."""

    target: str
    folder: bool = False


@dataclass(frozen=True, slots=True)
class SeenFolder:
    """A folder."""

    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class SeenOther:
    """A device, a socket or a pipe."""


Seen: TypeAlias = SeenFile | SeenLink | SeenFolder | SeenOther | None


@dataclass(frozen=True, slots=True)
class SeenUnit:
    """A unit as systemd has it; the words are systemd's (``systemctl show``)."""

    active: str = "inactive"
    enabled: str = ""
    load: str = "not-found"
    stale: bool = False
    """Its unit file changed on disk since systemd read it."""

    @property
    def is_active(self) -> bool:
        """Tell whether it runs, or is about to."""
        return self.active in {"active", "reloading", "refreshing", "activating"}

    @property
    def is_enabled(self) -> bool:
        """Tell whether it starts at boot by a link of its own."""
        return self.enabled in {"enabled", "linked"}

    @property
    def starts_at_boot(self) -> bool:
        """Tell whether nothing is left to enable: what is static starts by another unit."""
        return self.is_enabled or self.enabled in {"static", "alias", "generated", "indirect"}


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything of a server that a bundle speaks of."""

    packages: frozenset[str] = frozenset()
    accounts: Mapping[str, Account] = field(default_factory=dict)
    directories: Mapping[str, Seen] = field(default_factory=dict)
    paths: Mapping[str, Seen] = field(default_factory=dict)
    pristine: frozenset[str] = frozenset()
    """Paths that are exactly as their Debian package left them."""
    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    units: Mapping[str, SeenUnit] = field(default_factory=dict)
    satisfied: frozenset[str] = frozenset()
    """Commands whose ``unless`` says that there is nothing to do."""
