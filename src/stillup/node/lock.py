"""One change at a time: a lock that goes with the process that holds it."""

import contextlib
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from stillup.errors import ChangeRefused
from stillup.node.world import World, at

PATH = "/run/stillup/lock"


class Lock:
    """``flock`` on a file; the kernel frees it however the process ends."""

    def __init__(self, world: World, path: str = PATH, what: str = "another change") -> None:
        """Make a lock that is not taken yet; ``what`` is what somebody else does who has it."""
        self._world = world
        self._path = path
        self._what = what
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether this process has it."""
        return self._descriptor is not None

    def take(self, owner: str) -> None:
        """Take it for ``owner``.

        Raises:
            ChangeRefused: If somebody else has it; the text names whom, and since when.
        """
        if self.held:
            return
        place = at(self._world, self._path)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ChangeRefused(f"{self._what} is under way: {_holder(place)}") from error
        told = json.dumps({"owner": owner, "since": self._world.wall_s()}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, told, 0)
        self._descriptor = descriptor

    def free(self) -> None:
        """Let it go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(place: Path) -> str:
    # The other may be just about to write its name.
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(place.read_bytes())
        since = datetime.fromtimestamp(float(told["since"]), UTC).astimezone()
        return f"{told['owner']} has the lock since {since:%Y-%m-%d %H:%M:%S %Z}"
    return "somebody has just taken the lock"
