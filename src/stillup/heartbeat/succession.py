"""A daemon is replaced in place: the new process goes on where the old one stops.

Both ends of a private socket, a line of JSON each time:

| old process (acts until it says ``go``)          | successor (acts from ``go`` on)               |
|--------------------------------------------------|-----------------------------------------------|
| starts the program again, with the same words    | imports, reads settings and key               |
|                                                  | ``{"ready": ...}``, or ``{"refused": why}``   |
| stops handling; sends its memory and its sockets | restores it all, touches nothing              |
|                                                  | ``{"taken": ...}``, or ``{"refused": why}``   |
| ``{"go": ...}``: from here on it never acts      | goes on                                       |
| tells systemd who is the main process, and ends  |                                               |

At no instant do both act, and one does unless the machine dies. If the successor refuses, ends,
or takes too long, it is killed, *and waited for*, before the old process handles anything again.
If the old one dies before ``go``, the successor ends without having done anything, and systemd
starts the daemon as after any death. What arrives in between waits in the sockets, which both
processes hold.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

from stillup.errors import StillupError
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings_reader import Json

VARIABLE = "STILLUP_HEARTBEAT_HEIR"
"""Tells a successor its descriptors: the channel, and the settings and the key if they are given."""

PREPARE_S = 15.0
"""How long a successor may take to be ready; the old process works on meanwhile."""

AGAIN_S = 0.05
"""How long to wait when the estate cannot be had right now."""

_MOST_DESCRIPTORS = 253
"""In one message, by the kernel (``SCM_MAX_FD``)."""
_CHUNK = 65_536

Handed = tuple[dict[str, Json], list[int]]
"""A daemon's memory, and the descriptors that go with it."""


class NotNow(StillupError):
    """Something is under way that a successor could not go on with; it is over in a moment."""

    code = "not-now"


class Disinherited(StillupError):
    """The old process goes on by itself, or is gone; this one must end and do nothing."""

    code = "disinherited"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a reload.

    Args:
        error: Why there is no successor; empty if there is.
        code: The error's; empty if it has none.
        process: The successor's number.
        seconds: How long nothing was handled.
    """

    error: str
    code: str = ""
    process: int = 0
    seconds: float = 0.0


class Succession:
    """The old process's end.

    Args:
        loop: Calls while the successor gets ready.
        take_s: How long a ready successor may take to restore what it is sent; the old one
            handles nothing meanwhile.
        estate: Returns what is handed over.
        ended: Called with what became of it; after success this process must end.
    """

    def __init__(
        self,
        loop: Loop,
        take_s: float,
        estate: Callable[[], Handed],
        ended: Callable[[Told], None],
    ) -> None:
        self._loop = loop
        self._take_s = take_s
        self._estate = estate
        self._ended = ended
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._late_s = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether a successor is getting ready."""
        return self._child is not None

    def begin(self, files: Sequence[int]) -> None:
        """Start a successor.

        Args:
            files: Descriptors of the settings and the key for it to read; none: it looks for
                them where this process did.
        """
        ours, theirs = socket.socketpair()
        words = ":".join(str(number) for number in (theirs.fileno(), *files))
        environment = {**os.environ, VARIABLE: words}
        # systemd names the process that it expects to hear of; here another one follows.
        environment.pop("WATCHDOG_PID", None)
        try:
            self._child = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *files),
            )
        except OSError as error:
            ours.close()
            self._ended(Told(f"the successor cannot be started: {error.strerror}"))
            return
        finally:
            theirs.close()
        self._channel = ours
        self._late_s = self._loop.now_s() + PREPARE_S
        self._loop.watch(ours, self._on_said)
        self._loop.at("succession", self._late_s, self._on_late)

    def _on_late(self, _now_s: float) -> None:
        self._fail(f"the successor was not ready within {PREPARE_S:.0f} s")

    def _on_said(self) -> None:
        assert self._channel is not None
        self._channel.settimeout(self._take_s)
        told, _ = _receive(self._channel)
        if "ready" not in told:
            self._fail(*_why(told, "before it was ready"))
            return
        self._hand_over(self._channel)

    def _hand_over(self, channel: socket.socket) -> None:
        """Stop handling, hand over, and end, or go on as if nothing had been."""
        began_s = self._loop.now_s()
        try:
            memory, descriptors = self._estate()
            _send(channel, memory, descriptors)
        except NotNow as error:
            self._wait(error)
            return
        except StillupError as error:
            self._fail(str(error), error.code)
            return
        except OSError as error:
            self._fail(f"the successor cannot be told: {error.strerror or error}")
            return
        told, _ = _receive(channel)
        if "taken" not in told:
            self._fail(*_why(told, f"within {self._take_s:.3f} s of being told"))
            return
        try:
            _send(channel, {"go": True})
        except OSError as error:
            self._fail(f"the successor is gone: {error.strerror or error}")
            return
        assert self._child is not None
        seconds = self._loop.now_s() - began_s
        self._ended(Told("", "", self._child.pid, seconds))

    def _wait(self, why: NotNow) -> None:
        """Ask for the estate again in a moment, unless that was asked for long enough."""
        now_s = self._loop.now_s()
        if now_s >= self._late_s:
            self._fail(str(why))
            return
        channel = self._channel
        assert channel is not None
        self._loop.at("succession", now_s + AGAIN_S, lambda _: self._hand_over(channel))

    def _fail(self, why: str, code: str = "") -> None:
        """End the successor and wait until it is gone, for it may be about to act."""
        assert self._child is not None
        assert self._channel is not None
        self._child.kill()
        self._child.wait()
        self._loop.unwatch(self._channel)
        self._channel.close()
        self._loop.at("succession", None, self._on_late)
        self._child = self._channel = None
        self._ended(Told(why, code))


class Heir:
    """The successor's end.

    Args:
        channel: To the old process.
        files: Descriptors of the settings and of the key, if they are given.
    """

    def __init__(self, channel: socket.socket, files: Sequence[int]) -> None:
        self._channel = channel
        self.files = tuple(files)

    def receive(self) -> Handed:
        """Say that all is ready, and wait for what is handed over.

        Raises:
            Disinherited: If the old process goes on by itself.
        """
        return self._exchange({"ready": True})

    def take(self) -> None:
        """Say that all is restored, and wait for the word to go on.

        Raises:
            Disinherited: If the old process goes on by itself.
        """
        told, _ = self._exchange({"taken": True})
        if "go" not in told:
            raise Disinherited("the old process goes on")
        self._channel.close()

    def refuse(self, error: Exception) -> None:
        """Say why it cannot be."""
        code = error.code if isinstance(error, StillupError) else ""
        with contextlib.suppress(OSError):
            _send(self._channel, {"refused": str(error), "code": code})

    def _exchange(self, said: dict[str, Json]) -> Handed:
        try:
            _send(self._channel, said)
        except OSError:
            raise Disinherited("the old process is gone") from None
        told, descriptors = _receive(self._channel)
        if not told:
            raise Disinherited("the old process goes on, or is gone")
        return told, descriptors


def heir(environment: MutableMapping[str, str]) -> Heir | None:
    """Return this process's end if it is a successor; its children are none."""
    words = environment.pop(VARIABLE, "")
    if not words:
        return None
    number, *files = (int(word) for word in words.split(":"))
    channel = socket.socket(fileno=number)
    channel.set_inheritable(False)
    channel.settimeout(PREPARE_S)
    return Heir(channel, files)


def _why(told: dict[str, Json], when: str) -> tuple[str, str]:
    refused, code = told.get("refused"), told.get("code")
    if isinstance(refused, str) and isinstance(code, str):
        return refused, code
    return f"the successor ended or said nothing {when}", ""


def _send(channel: socket.socket, value: dict[str, Json], descriptors: Sequence[int] = ()) -> None:
    data = json.dumps(value).encode() + b"\n"
    for at in range(0, len(descriptors), _MOST_DESCRIPTORS):
        these = descriptors[at : at + _MOST_DESCRIPTORS]
        data = data[socket.send_fds(channel, [data[:1]], list(these)) :]
    channel.sendall(data)


def _receive(channel: socket.socket) -> Handed:
    """Return the next line and its descriptors; nothing if there is none, or none in time."""
    data, descriptors = b"", list[int]()
    try:
        while not data.endswith(b"\n"):
            part, found, _, _ = socket.recv_fds(channel, _CHUNK, _MOST_DESCRIPTORS)
            descriptors += found
            if not part:
                return {}, []
            data += part
    except OSError:
        return {}, []
    told = json.loads(data)
    return (told, descriptors) if isinstance(told, dict) else ({}, [])
