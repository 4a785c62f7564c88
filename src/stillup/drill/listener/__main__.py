"""The program: asks who has each address until its standard input ends, writes who answered."""

import contextlib
import os
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from stillup.drill.history import Heard
from stillup.drill.listener import frames, packets
from stillup.drill.listener.on_link import interface_for
from stillup.drill.listener.settings import Deaf, Listens, Settings, heard_line, line, settings
from stillup.drill.output import Output
from stillup.drill.told import first_line
from stillup.priority import preferred

DEAF_S = 0.1
"""Who asks less often than this may have missed somebody."""
_LOOK_EVERY_S = 1.0
_ETHERNET = 1
_ANYWHERE = 9
"""A port that nothing is sent to: only the kernel's choice of our own address is wanted."""
_ADVERTISEMENTS = (
    (0x30, 0, 0, 20),  # the protocol in the IPv6 packet
    (0x15, 0, 3, frames.ICMPV6),
    (0x30, 0, 0, 54),  # the message's type
    (0x15, 0, 1, frames.ADVERTISEMENT),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


class Unable(Exception):
    """Nobody can listen here; the text says why."""


@dataclass
class Ear:
    """Listens for one address."""

    address: str
    wanted: bytes
    question: bytes
    packets: socket.socket

    def heard(self, origin_s: float) -> list[Heard]:
        """Return who has spoken as its owner since the last call."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, at_s, _ = packets.received(self.packets)
                seen = frames.sighting(frame, self.wanted)
                if seen is not None:
                    found.append(Heard(at_s - origin_s, self.address, seen[1]))
        return found


def ear(address: str) -> Ear:
    """Return what listens for an address.

    Raises:
        Unable: If nobody can.
    """
    sixth = Path("/proc/net/ipv6_route")
    interface = interface_for(
        address,
        Path("/proc/net/route").read_text(),
        sixth.read_text() if sixth.exists() else "",
    )
    if interface is None:
        raise Unable(f"{address} is not on a network of this machine, so nobody can ask who has it")
    protocol = frames.IPV6 if ":" in address else frames.ARP
    try:
        opened = packets.opened(protocol)
    except PermissionError:
        raise Unable("to ask who has an address takes root, or CAP_NET_RAW") from None
    if protocol == frames.IPV6:
        packets.attach(opened, _ADVERTISEMENTS)
    opened.settimeout(0.0)
    opened.bind((interface, protocol))
    kind, hardware = opened.getsockname()[3:5]
    if kind != _ETHERNET:
        raise Unable(f"{interface}, which leads to {address}, is no Ethernet")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    wanted, own = (socket.inet_pton(family, each) for each in (address, _own(address, family)))
    return Ear(address, wanted, frames.question(wanted, own, hardware), opened)


def _own(address: str, family: socket.AddressFamily) -> str:
    """Return which of its addresses this machine would ask from."""
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.connect((address, _ANYWHERE))
        own: str = asker.getsockname()[0]
    return own


@dataclass
class Listener:
    """Asks and listens for all addresses."""

    told: Settings
    ears: list[Ear]
    output: Output
    asked_s: float = 0.0
    """When all were asked last."""
    looked_s: float = 0.0
    poll: select.poll = field(default_factory=select.poll)

    def run(self, stop: int) -> None:
        """Go on until the file ``stop`` ends."""
        self.poll.register(stop, select.POLLIN)
        for each in self.ears:
            self.poll.register(each.packets, select.POLLIN)
        due_s = self.asked_s = self.looked_s = self._now_s()
        running = True
        while running:
            now_s = self._now_s()
            if now_s >= due_s:
                due_s = max(due_s + self.told.every_s, now_s)
                self._ask()
            wait_s = max(0.0, due_s - self._now_s())
            for number, _ in self.poll.poll(wait_s * 1000):
                running = running and not (number == stop and not os.read(stop, 4096))
            self._write()
        self._not_deaf_since(self.asked_s)

    def _now_s(self) -> float:
        return time.monotonic() - self.told.origin_s

    def _ask(self) -> None:
        """Ask for every address; what cannot be sent is not asked."""
        with contextlib.suppress(OSError):
            for each in self.ears:
                each.packets.send(each.question)
            self._not_deaf_since(self.asked_s)
            self.asked_s = self._now_s()

    def _not_deaf_since(self, from_s: float) -> None:
        now_s = self._now_s()
        if now_s - from_s > DEAF_S:
            self.output.write(line(Deaf(from_s, now_s)))

    def _write(self) -> None:
        """Write down what was heard, and now and then whether something was lost."""
        for each in self.ears:
            with contextlib.suppress(OSError):  # the interface is down: it is not asked, too
                for one in each.heard(self.told.origin_s):
                    self.output.write(heard_line(one))
        now_s = self._now_s()
        if now_s - self.looked_s >= _LOOK_EVERY_S:
            # Asking sets the count of each to 0, so all are asked.
            if sum(packets.dropped(each.packets) for each in self.ears):
                self.output.write(line(Deaf(self.looked_s, now_s)))
            self.looked_s = now_s
        self.output.flush()


def main() -> int:
    """Run it; the exit code is 0 also when nobody can listen, which the first line says."""
    told = settings(first_line(sys.stdin.fileno()))
    output = Output(sys.stdout.fileno())
    try:
        ears = [ear(address) for address in told.addresses]
    except Unable as error:
        output.write(line(Listens(str(error))))
        output.drain()
        return 0
    preferred()
    output.write(line(Listens()))
    try:
        Listener(told, ears, output).run(sys.stdin.fileno())
        output.drain()
    except BrokenPipeError:  # nobody wants to know any more
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
