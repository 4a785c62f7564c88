"""A daemon's predecessor and successor: what it inherits, and how it is replaced when asked to."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillup.heartbeat import estate
from stillup.heartbeat.control import Asked, Refused
from stillup.heartbeat.core import Node
from stillup.heartbeat.estate import RestartNeeded
from stillup.heartbeat.journal import Journal
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.notify import Notify
from stillup.heartbeat.snapshot import NotUnderstood
from stillup.heartbeat.succession import Handed, Succession, Told

SOCKETS = "sockets"

AS_A_RESTART = frozenset({RestartNeeded.code, NotUnderstood.code})
"""What only a new start can do: settings that make another server of this one, a version that
does not know what this one remembers. Where systemd is there to start it, that is done."""


@dataclass(frozen=True, slots=True)
class Possessions:
    """What a daemon hands over; ``sockets`` are descriptors by name."""

    estate: estate.Estate
    nodes: Mapping[str, Node]
    sockets: Mapping[str, int]


class Lineage:
    """Starts a successor when asked, and ends this process once it has one.

    Args:
        loop: Stopped when there is a successor.
        journal: The log.
        notify: systemd, which is told whom to look after.
        take_s: How long the successor may take to restore what it is sent.
        possessions: Returns what is handed over; raises ``NotNow`` if it cannot be right now.
        end: Ends this process in order; systemd starts it anew.
    """

    def __init__(
        self,
        loop: Loop,
        journal: Journal,
        notify: Notify,
        take_s: float,
        possessions: Callable[[], Possessions],
        end: Callable[[], None],
    ) -> None:
        self.succeeded = False
        self._loop = loop
        self._journal = journal
        self._notify = notify
        self._possessions = possessions
        self._end = end
        self._succession = Succession(loop, take_s, self._hand_over, self._on_end)
        self._asked: Asked | None = None

    def reload(self, asked: Asked | None) -> None:
        """Have the program start again and go on in this one's place.

        Args:
            asked: Who asked, with the settings and the key; None for a signal, which has neither.

        Raises:
            Refused: If a successor is getting ready already.
        """
        if self._succession.is_under_way:
            raise Refused("a successor is getting ready already: ask again")
        self._asked = asked
        self._succession.begin(asked.files if asked is not None else ())

    def _hand_over(self) -> Handed:
        has = self._possessions()
        said = estate.told(has.estate, dict(has.nodes))
        said[SOCKETS] = list(has.sockets)
        return said, list(has.sockets.values())

    def _on_end(self, told: Told) -> None:
        asked, self._asked = self._asked, None
        if told.code in AS_A_RESTART and self._notify.is_heard:
            self._journal("reload takes a restart", {"reason": told.error})
            if asked is not None:
                asked.reply({"reloaded": False, "restarts": os.getpid(), "reason": told.error})
            self._end()
            return
        if told.error:
            self._journal("reload failed", {"reason": told.error})
            if asked is not None:
                asked.reply({"error": f"the running daemon goes on as it is: {told.error}"})
            return
        self._journal("reloaded", {"pid": told.process, "took": f"{told.seconds:.3f}s"})
        if asked is not None:
            took_s = round(told.seconds, 4)
            asked.reply({"reloaded": True, "pid": told.process, "took_s": took_s})
        self.succeeded = True
        self._notify.hand_over(told.process)
        self._loop.stop()


def sockets(handed: Handed | None) -> dict[str, int]:
    """Return the descriptors that were handed over, by name."""
    if handed is None:
        return {}
    said, descriptors = handed
    names = said.get(SOCKETS)
    assert isinstance(names, list)
    return dict(zip(map(str, names), descriptors, strict=True))


def named(network: str, descriptors: Mapping[str, int]) -> dict[str, int]:
    """Return a network's sockets under the names that go to a successor."""
    return {f"{network} {name}".rstrip(): number for name, number in descriptors.items()}


def sockets_of(network: str, handed: Mapping[str, int]) -> dict[str, int]:
    """Return a network's among the sockets that were handed over, by its own names."""
    words = ((name.partition(" "), number) for name, number in handed.items())
    return {name: number for (of, _, name), number in words if of == network}
