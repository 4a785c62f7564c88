"""The log: one event a line on standard error, fixed words first.

systemd's journal adds the time. The daemon must never wait for whoever reads its log: when
the journal's socket, a pipe or a terminal takes no more, the line is dropped and the next one
says how many were.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import TypeAlias

Fields: TypeAlias = Mapping[str, object]

REPEAT_S = 5.0

_UNWAITED = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def line(words: str, fields: Fields) -> str:
    """Return ``vip acquired address=10.0.0.1 after=0.312s``; values with spaces are quoted."""
    return " ".join([words, *(f"{key}={_spelled(value)}" for key, value in fields.items())])


class Journal:
    """Writes events to a descriptor, standard error unless told.

    Args:
        now_s: The clock, for ``rarely``.
        descriptor: Where to.
    """

    def __init__(self, now_s: Callable[[], float], descriptor: int = 2) -> None:
        self._now_s = now_s
        self._descriptor = descriptor
        self._dropped = 0
        self._held_back: dict[str, tuple[float, int]] = {}
        self._socket: socket.socket | None = None
        with contextlib.suppress(OSError):
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=socket.dup(descriptor))
            elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
                # Opened anew: whoever shares the descriptor may want to wait.
                self._descriptor = os.open(f"/proc/self/fd/{descriptor}", _UNWAITED)

    def __call__(self, words: str, fields: Fields) -> None:
        """Write one event."""
        if self._dropped:
            fields = {**fields, "lines_dropped": self._dropped}
        try:
            self._write(line(words, fields) + "\n")
            self._dropped = 0
        except OSError:
            self._dropped += 1

    def rarely(self, words: str, fields: Fields) -> None:
        """Write an event of a kind that may come in floods: one in ``REPEAT_S``, with a count."""
        now_s = self._now_s()
        last_s, held_back = self._held_back.get(words, (-REPEAT_S, 0))
        if now_s - last_s < REPEAT_S:
            self._held_back[words] = (last_s, held_back + 1)
            return
        self._held_back[words] = (now_s, 0)
        self(words, {**fields, "more": held_back} if held_back else fields)

    def _write(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text.encode(), socket.MSG_DONTWAIT)
        else:
            os.write(self._descriptor, text.encode())


def _spelled(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if not text or any(character in text for character in ' ="\n'):
        return '"' + text.replace('"', "'").replace("\n", " ") + '"'
    return text
