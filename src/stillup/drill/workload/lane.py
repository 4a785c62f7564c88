"""Which requests share connections, and what waits for one (pure).

A lane is one kind of request, or one visitor's session. Its connections are used in turn, so that
each of those that stay open is used again and again.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stillup.drill.history import Kind
from stillup.drill.workload.settings import Load

_SPARE = 4
"""What a stall has opened is kept, up to so many times the usual: closing it at once would make the
next stall, as every one costs the farm a handshake."""

C = TypeVar("C")
"""What a connection is."""


@dataclass(slots=True, eq=False)
class Asked:
    """One request, from when it was due until it is over. Times since the workload began."""

    kind: Kind
    number: int
    visitor: int
    due_s: float
    sent_s: float
    heard_s: float = 0.0
    """When something of its answer came last."""
    over: bool = False


@dataclass(slots=True, eq=False)
class Lane(Generic[C]):
    """Requests that wait, and the connections they may use."""

    load: Load
    waiting: deque[Asked] = field(default_factory=deque)
    idle: deque[C] = field(default_factory=deque)
    open: int = 0
    """How many connections there are, those in use with them."""
    under_way: int = 0
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def keeps(self) -> bool:
        """Whether its connections stay open after an answer."""
        return self.load.connections > 0

    @property
    def surplus(self) -> bool:
        """Whether there are so many connections that no more should stay open."""
        return self.open > _SPARE * self.load.connections

    def next(self) -> Asked | None:
        """Take the next that may go out now; None if there is none or no place for it."""
        while self.waiting and self.under_way < self.load.at_once:
            asked = self.waiting.popleft()
            if not asked.over:
                self.under_way += 1
                return asked
        return None

    def free(self) -> C | None:
        """Take a connection that is to be used again; None if a new one is to be opened."""
        if self.idle and self.open >= self.load.connections:
            return self.idle.popleft()
        return None

    def cookie(self) -> str:
        """Return what the ``Cookie`` header says."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())
