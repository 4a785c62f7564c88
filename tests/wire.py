"""Who answered for an address, and when, as heard on the wire.

A watcher in the namespace of the bridge hears what each server's port brings in: ARP whose
sender is the address, neighbour advertisements of it, and IP packets from it. It also asks every port directly, past the
bridge, who has the address, so that a server that would answer is heard even if nobody
else asks, or if its port is cut off. Times are the kernel's, on ``CLOCK_MONOTONIC``.

Run as a program it watches until it is terminated and writes one JSON object a line:
``python tests/wire.py --address 10.0.0.1 --output FILE [--ask 0.01] [--ports a,b]``.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

READY_S = 5.0
ASKER_HARDWARE = bytes.fromhex("02005e000001")

_ALL_PROTOCOLS = 0x0003
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_SOLICITATION, _ADVERTISEMENT = 135, 136
_ICMPV6 = 58
_MULTICAST = 0xFF
_OUTGOING = 4
_TIMESTAMP_NS = 35
_ATTACH_FILTER = 26


@dataclass(frozen=True)
class Sighting:
    """Somebody spoke as the owner of the address.

    Args:
        at_s: When, on ``CLOCK_MONOTONIC``.
        kind: ``reply`` (to the watcher's or another's question), ``announcement``,
            ``request``, or ``packet``.
        hardware: Who: the Ethernet source.
        port: On which port it came in.
    """

    at_s: float
    kind: str
    hardware: str
    port: str


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
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
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


def sighting(frame: bytes, address: bytes) -> tuple[str, str] | None:
    """Return kind and hardware of a frame whose sender claims to be ``address``."""
    if len(frame) < 34:
        return None
    hardware, ethertype = frame[6:12].hex(":"), int.from_bytes(frame[12:14], "big")
    if ethertype == _ARP and frame[28:32] == address:
        operation, target = frame[20:22], frame[38:42]
        if target == address:
            return "announcement", hardware
        return ("reply" if operation == b"\0\2" else "request"), hardware
    if ethertype == _IPV4 and frame[26:30] == address:
        return "packet", hardware
    kind = sixth(frame, address) if ethertype == _IPV6 else None
    return (kind, hardware) if kind else None


def sixth(frame: bytes, address: bytes) -> str | None:
    """Return what an IPv6 frame says as the owner of ``address``; None if nothing."""
    neighbours = frame[20] == _ICMPV6 and len(frame) >= 78
    if neighbours and frame[54] == _ADVERTISEMENT and frame[62:78] == address:
        return "announcement" if frame[38] == _MULTICAST else "reply"
    if frame[22:38] != address:
        return None
    return "request" if neighbours and frame[54] == _SOLICITATION else "packet"


def question(address: bytes, asker: bytes) -> bytes:
    """Return an ARP request for ``address`` from a host that does not exist.

    For an IPv6 address, a neighbour solicitation to the group that its last bytes make.
    """
    if len(address) == 16:
        return solicitation(address, asker)
    head = b"\xff" * 6 + ASKER_HARDWARE + _ARP.to_bytes(2, "big")
    body = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 1)
    return head + body + ASKER_HARDWARE + asker + b"\0" * 6 + address


def solicitation(address: bytes, asker: bytes) -> bytes:
    """Return a neighbour solicitation (RFC 4861 section 4.3)."""
    group = bytes.fromhex("ff0200000000000000000001ff") + address[-3:]
    head = b"\x33\x33" + group[-4:] + ASKER_HARDWARE + _IPV6.to_bytes(2, "big")
    message = bytes((_SOLICITATION, 0, 0, 0, 0, 0, 0, 0)) + address + b"\1\1" + ASKER_HARDWARE
    summed = asker + group + struct.pack("!II", len(message), _ICMPV6) + message
    total: int = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    checksum = ~(total % 0xFFFF) & 0xFFFF
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    ip = struct.pack("!IHBB", 6 << 28, len(message), _ICMPV6, 255) + asker + group
    return head + ip + message


def bridge_ports() -> list[str]:
    """Return the interfaces of this namespace that are ports of a bridge."""
    return sorted(path.parent.name for path in Path("/sys/class/net").glob("*/brport"))


def watch(
    address: str, output: Path, ask_s: float, ports: Sequence[str], *, arp_only: bool
) -> None:
    """Watch until terminated."""
    wanted = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    asker = wanted[:-1] + b"\xfd"
    asked = question(wanted, asker)
    names = list(ports) or bridge_ports()
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    if arp_only:
        hear_arp_only(packets)
    packets.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    packets.settimeout(0.005)
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    due_s = time.monotonic()
    with output.open("w") as lines:
        sys.stdout.write("watching\n")
        sys.stdout.flush()
        while running:
            now_s = time.monotonic()
            if ask_s and now_s >= due_s:
                due_s = max(due_s + ask_s, now_s)
                for name in names:
                    with contextlib.suppress(OSError):
                        packets.sendto(asked, (name, 0))
            note(packets, wanted, lines.write)
    packets.close()


def hear_arp_only(packets: socket.socket) -> None:
    """Have the kernel drop all but ARP that comes in, before it wakes this process.

    Not by the socket's protocol: such a socket does not hear what a bridge forwards.
    Source: classic BPF, linux/filter.h.
    """
    steps = [
        (0x28, 0, 0, 12),  # the Ethernet type
        (0x15, 0, 3, _ARP),
        (0x20, 0, 0, 0xFFFFF000 + 4),  # the packet's direction
        (0x15, 1, 0, _OUTGOING),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    head = struct.pack("@HP", len(steps), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, head)


def note(packets: socket.socket, wanted: bytes, write: object) -> None:
    """Take one frame in and write it down if it is of interest."""
    assert callable(write)
    try:
        frame, extra, _, source = packets.recvmsg(128, 64)
    except TimeoutError:
        return
    if source[2] == _OUTGOING:
        return
    found = sighting(frame, wanted)
    if found is None:
        return
    at_s = time.monotonic()
    for _, kind, data in extra:
        if kind == _TIMESTAMP_NS:
            seconds, nanoseconds = struct.unpack_from("@ll", data)
            at_s = seconds + nanoseconds / 1e9 + _BETWEEN_CLOCKS_S
    write(json.dumps(asdict(Sighting(at_s, *found, source[0]))) + "\n")


def _between_clocks_s() -> float:
    """Return what to add to the wall clock, which the kernel stamps with, for the monotonic one.

    Taken once, the closest of many pairs of readings: taken anew for each frame, a pause of
    this process between the two readings would move that frame past the ones after it.
    """
    pairs = [(time.monotonic(), time.time(), time.monotonic()) for _ in range(100)]
    before_s, wall_s, after_s = min(pairs, key=lambda pair: pair[2] - pair[0])
    return (before_s + after_s) / 2 - wall_s


_BETWEEN_CLOCKS_S = _between_clocks_s()


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
    with contextlib.suppress(OSError):
        os.nice(-10)
    ports = [name for name in told.ports.split(",") if name]
    watch(told.address, told.output, told.ask, ports, arp_only=told.arp_only)


if __name__ == "__main__":
    main()
