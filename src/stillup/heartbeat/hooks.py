"""Has commands run when an address is gained or lost, and never waits for them.

A job goes to ``hook_runner.py`` as one message; what became of it comes back as one. Where it
cannot be handed over at once (the runner hangs, its queue is full) the job is lost and that is said:
the lease does not wait.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillup.heartbeat.hook_runner import LONGEST_BYTES
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings import DaemonSettings
from stillup.heartbeat.settings_reader import Json


@dataclass(frozen=True, slots=True)
class Runner:
    """The process that runs them, and the way to it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket


def runner() -> Runner:
    """Start the process; to be called when nothing waits for the caller."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    words = [sys.executable, "-s", "-P", "-m", "stillup.heartbeat.hook_runner"]
    with theirs:
        process = subprocess.Popen(words, stdin=theirs.fileno(), stdout=theirs.fileno())
    ours.settimeout(0)
    return Runner(process, ours)


class Hooks:
    """The commands of one daemon.

    Args:
        loop: For what the runner tells.
        settings: The daemon's: this server's name, and what to run.
        log: Takes an event.
        runner: Runs them; None where there are none.
    """

    def __init__(
        self,
        loop: Loop,
        settings: DaemonSettings,
        log: Callable[[str, Mapping[str, object]], None],
        runner: Runner | None,
    ) -> None:
        self.last: dict[str, Json] = {}
        """What became of the last command of each kind, by kind and address."""
        self._loop = loop
        self._name = settings.name
        self._commands = {"on_acquire": settings.on_acquire, "on_release": settings.on_release}
        self._log = log
        self._runner = runner
        if runner is not None:
            loop.watch(runner.channel, self._on_told)

    def run(self, kind: str, address: str, reason: str) -> None:
        """Have the commands of this kind run for an address.

        Args:
            kind: ``on_acquire`` or ``on_release``.
            address: The virtual IP.
            reason: Why, in words.
        """
        commands: Json = [[*command] for command in self._commands.get(kind, ())]
        if not commands:
            return
        environment = {"ADDRESS": address, "SERVER": self._name, "REASON": reason}
        about: dict[str, Json] = {"on": kind, "address": address}
        job = {"commands": commands, "environment": environment, "about": about}
        try:
            if self._runner is None:
                raise BrokenPipeError(0, "its process has ended")
            self._runner.channel.send(
                json.dumps(job).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            )
        except OSError as error:
            self._log("hook not run", {**about, "reason": error.strerror})
            self.last[f"{kind} {address}"] = {"error": f"not run: {error.strerror}"}

    def warnings(self) -> list[str]:
        """Return a sentence for each command that failed last, and one if none can run any more."""
        found = [
            f"{kind} failed: {told['error']}"
            for kind, told in self.last.items()
            if isinstance(told, dict) and told["error"]
        ]
        if self._runner is None and any(self._commands.values()):
            found.append("no command runs any more: their process has ended; reload the daemon")
        return found

    def _on_told(self) -> None:
        assert self._runner is not None
        try:
            data = self._runner.channel.recv(LONGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._log(
                "hooks ended", {"reason": "their process is gone; the next start has another"}
            )
            self._end()
            return
        self._note(json.loads(data))

    def _note(self, told: dict[str, Json]) -> None:
        self._log("hook failed" if told["error"] else "hook ran", told)
        self.last[f"{told['on']} {told['address']}"] = told

    def close(self) -> None:
        """Ask for nothing more; what was asked for is still done."""
        self._end()

    def _end(self) -> None:
        if self._runner is not None:
            self._loop.unwatch(self._runner.channel)
            self._runner.channel.close()
            self._runner.process.poll()
            self._runner = None
