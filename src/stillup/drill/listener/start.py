"""Starts the listener and reads what it hears."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stillup.drill.history import Heard
from stillup.drill.listener.settings import Deaf, Listens, Settings, line, parsed
from stillup.drill.programs import Program, Wrap, as_it_is

_START_S = 20.0
_END_S = 10.0


class Listening:
    """The listener while it runs.

    Attributes:
        heard: Who answered so far; grows by itself.
        why: Why nobody can listen; "" for somebody does.
    """

    def __init__(self, told: Settings, wrap: Wrap) -> None:
        self.heard: list[Heard] = []
        self.why = ""
        self._deaf_s: list[tuple[float, float]] = []
        self._program = Program("stillup.drill.listener", line(told), wrap, self._read)
        self._program.await_first(_START_S)

    def stop(self) -> tuple[tuple[Heard, ...] | None, tuple[tuple[float, float], ...]]:
        """Return what was heard, in order of time, and when it was deaf.

        Nothing was heard (None) if nobody could listen: then nothing is known.

        Raises:
            DrillFailed: If it died.
        """
        self._program.end(_END_S)
        if self.why:
            return None, ()
        return tuple(sorted(self.heard, key=lambda one: one.at_s)), tuple(self._deaf_s)

    def kill(self) -> None:
        """End it at once."""
        self._program.kill()

    def _read(self, text: str) -> None:
        match parsed(text):
            case Heard() as heard:
                self.heard.append(heard)
            case Deaf(from_s, to_s):
                self._deaf_s.append((from_s, to_s))
            case Listens(why):
                self.why = why


@contextmanager
def listening(
    addresses: Sequence[str], origin_s: float, wrap: Wrap = as_it_is
) -> Iterator[Listening]:
    """Listen for who answers for each address until the block ends; it begins when it asks.

    Args:
        addresses: The virtual IPs.
        origin_s: Second 0 of the times that are told, on the monotonic clock of this machine.
        wrap: How its program is started; see ``programs``.

    Raises:
        DrillFailed: If it does not begin.
    """
    ear = Listening(Settings(tuple(addresses), origin_s), wrap)
    try:
        yield ear
    finally:
        ear.kill()
