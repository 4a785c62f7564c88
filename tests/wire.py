"""Who answered for an address, and when, as heard on the wire.

A watcher in the namespace of the bridge hears what each server's port brings in: ARP whose
sender is the address, neighbour advertisements of it, and IP packets from it. It also asks every port directly, past the
bridge, who has the address, so that a server that would answer is heard even if nobody
else asks, or if its port is cut off. It asks in rounds, each from a hardware address of its own,
so that an answer tells which question it answers. Times are the kernel's, on ``CLOCK_MONOTONIC``.

Run as a program it watches until it is terminated and writes one JSON object a line:
``python tests/wire.py --address 10.0.0.1 --output FILE [--ask 0.01] [--ports a,b]``.
"""

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stillup.drill.listener import packets
from stillup.drill.listener.frames import ARP, question, sighting
from stillup.priority import preferred

READY_S = 5.0
# The first half of the watcher's hardware addresses; the second half is the round's number.
ASKERS = bytes.fromhex("02005e")

_ALL_PROTOCOLS = 0x0003
# Not by the socket's protocol: such a socket does not hear what a bridge forwards.
_ARP_COMING_IN = (
    (0x28, 0, 0, 12),  # the Ethernet type
    (0x15, 0, 3, ARP),
    (0x20, 0, 0, 0xFFFFF000 + 4),  # the packet's direction
    (0x15, 1, 0, packets.OUTGOING),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


@dataclass(frozen=True)
class Sighting:
    """Somebody spoke as the owner of the address.

    Args:
        at_s: When, on ``CLOCK_MONOTONIC``.
        kind: ``reply`` (to the watcher's or another's question), ``announcement``,
            ``request``, or ``packet``.
        hardware: Who: the Ethernet source.
        port: On which port it came in.
        asked: Which of the watcher's questions this answers; None if none of them.
    """

    at_s: float
    kind: str
    hardware: str
    port: str
    asked: int | None = None


@dataclass(frozen=True)
class Turn:
    """One speaker's uninterrupted time: nobody else spoke between its first and last word."""

    hardware: str
    first_s: float
    last_s: float


def read(file: Path) -> list[Sighting]:
    """Return the sightings that a watcher wrote, in order of time."""
    found = [Sighting(**json.loads(line)) for line in file.read_text().splitlines() if line]
    return sorted(found, key=lambda sighting: sighting.at_s)


def turns(sightings: Iterable[Sighting]) -> list[Turn]:
    """Return who spoke one after another."""
    found: list[Turn] = []
    for seen in sightings:
        if found and found[-1].hardware == seen.hardware:
            found[-1] = Turn(seen.hardware, found[-1].first_s, seen.at_s)
        else:
            found.append(Turn(seen.hardware, seen.at_s, seen.at_s))
    return found


def overlaps(sightings: Iterable[Sighting], within_s: float) -> list[Turn]:
    """Return the turns of speakers who spoke again although another had begun.

    Args:
        sightings: In order of time.
        within_s: A speaker who comes back later than this after its last word has taken the
            address again by right; the shortest time that takes is a lease.
    """
    found: list[Turn] = []
    last_s: dict[str, float] = {}
    for turn in turns(sightings):
        if turn.hardware in last_s and turn.first_s - last_s[turn.hardware] < within_s:
            found.append(turn)
        last_s[turn.hardware] = turn.last_s
    return found


class Watcher:
    """A watcher that runs as a program of its own, in another network namespace.

    Args:
        enter: The words that run a command there: ``("ip", "netns", "exec", NAME)``.
        address: The address to watch for.
        output: Where the sightings go.
        ask_s: How often to ask each port; None for never.
        ports: Which interfaces to ask; all of the bridge's if empty.
        arp_only: Leave IPv4 packets out, which costs far less where there are many of them.
    """

    def __init__(
        self,
        enter: Sequence[str],
        address: str,
        output: Path,
        *,
        ask_s: float | None = 0.01,
        ports: Sequence[str] = (),
        arp_only: bool = False,
    ) -> None:
        self.output = output
        argv = [*enter, sys.executable, str(Path(__file__).resolve())]
        argv += ["--address", address, "--output", str(output)]
        argv += ["--ask", str(ask_s or 0), "--ports", ",".join(ports)]
        argv += ["--arp-only"] if arp_only else []
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if ready.strip() != b"watching":
            self._process.kill()
            raise RuntimeError("the watcher on the wire did not start")

    def stop(self) -> list[Sighting]:
        """End the watching and return what was seen."""
        self._process.terminate()
        self._process.wait(READY_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return read(self.output)


# -- the program ---------------------------------------------------------------------------


def bridge_ports() -> list[str]:
    """Return the interfaces of this namespace that are ports of a bridge."""
    return sorted(path.parent.name for path in Path("/sys/class/net").glob("*/brport"))


def watch(
    address: str, output: Path, ask_s: float, ports: Sequence[str], *, arp_only: bool
) -> None:
    """Watch until terminated."""
    wanted = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    asker = wanted[:-1] + b"\xfd"
    names = list(ports) or bridge_ports()
    wire = packets.opened(_ALL_PROTOCOLS)
    if arp_only:
        packets.attach(wire, _ARP_COMING_IN)
    wire.settimeout(0.005)
    running, starter, rounds = [True], os.getppid(), itertools.count()
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    due_s = time.monotonic()
    with output.open("w") as lines:
        sys.stdout.write("watching\n")
        sys.stdout.flush()
        # It has a session of its own, so a Ctrl-C does not end it.
        while running and os.getppid() == starter:
            now_s = time.monotonic()
            if ask_s and now_s >= due_s:
                due_s = max(due_s + ask_s, now_s)
                hardware = ASKERS + (next(rounds) % (1 << 24)).to_bytes(3, "big")
                asked = question(wanted, asker, hardware)
                for name in names:
                    with contextlib.suppress(OSError):
                        wire.sendto(asked, (name, 0))
            note(wire, wanted, lines.write)
    wire.close()


def note(wire: socket.socket, wanted: bytes, write: Callable[[str], object]) -> None:
    """Take one frame in and write it down if it is of interest."""
    try:
        frame, at_s, (port, direction) = packets.received(wire)
    except TimeoutError:
        return
    found = sighting(frame, wanted) if direction != packets.OUTGOING else None
    if found is not None:
        asked = int.from_bytes(frame[3:6], "big") if frame[:3] == ASKERS else None
        write(json.dumps(asdict(Sighting(at_s, *found, port, asked))) + "\n")


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--ask", type=float, default=0.01)
    parser.add_argument("--ports", default="")
    parser.add_argument("--arp-only", action="store_true")
    told = parser.parse_args()
    # A watcher that comes late sees the right times all the same, but may lose frames.
    preferred()
    ports = [name for name in told.ports.split(",") if name]
    watch(told.address, told.output, told.ask, ports, arp_only=told.arp_only)


if __name__ == "__main__":
    main()
