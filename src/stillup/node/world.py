"""What the node asks of the server it runs on, so that tests can put a folder in its place.

Everything on the file system is found below ``World.root`` (``/`` on a real server); every
process, account and clock goes through the protocol. ``stillup.node.machine`` is the real one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

NOT_FOUND = 127
"""The exit code of a program that does not exist, as shells have it."""
OUT_OF_TIME = 124
"""The exit code of a program that was ended because its time was up, as timeout(1) has it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process ended and what it said. ``code`` is negative for a signal."""

    code: int
    out: bytes = field(default=b"", repr=False)
    err: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the server has it; ``groups`` are the supplementary ones."""

    name: str
    home: str
    shell: str
    groups: frozenset[str]


class World(Protocol):
    """A server, or a folder that stands for one."""

    @property
    def root(self) -> Path:
        """Where the server's file system begins."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        within_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a program to its end, at most ``within_s`` seconds; never raises for its failure."""
        ...

    def account(self, name: str) -> Account | None:
        """Return the user of that name."""
        ...

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        """Return uid and gid.

        Raises:
            ServerFailed: If there is no such user or group.
        """
        ...

    def names(self, uid: int, gid: int) -> tuple[str, str]:
        """Return owner and group; a number without a name as its digits."""
        ...

    def now_s(self) -> float:
        """Return monotonic seconds."""
        ...

    def wall_s(self) -> float:
        """Return seconds since 1970, for people to read."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait."""
        ...


def at(world: World, path: str) -> Path:
    """Return where the server's absolute ``path`` is for this process."""
    return world.root / path.lstrip("/")
