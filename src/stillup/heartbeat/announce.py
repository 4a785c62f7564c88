"""Says on the LAN where the virtual IP is, and listens for others who say so.

Gratuitous ARP, or unsolicited neighbour advertisements for IPv6, through a packet socket. The
kernel lets them out only while the lease runs (``ruleset.py``, family ``netdev``), so one that
is late by a freeze does not reach the wire.
"""

import errno
import socket
from collections.abc import Callable, Mapping

from stillup.heartbeat import arp, neighbour, packet_filter
from stillup.heartbeat.attach import attach
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.repeats import Claim, Repeats
from stillup.heartbeat.route import LinkSeen
from stillup.heartbeat.ruleset import is_ipv6

_FRAME_BYTES = 256


class Announcer:
    """Announces one address on one interface for as long as it is told to.

    Args:
        loop: For the repetitions and the listening.
        address: The virtual IP.
        on_claim: Called with each foreign claim that is heard while the address is announced.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        address: str,
        on_claim: Callable[[Claim], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.sent = 0
        self.claims = 0
        self._loop = loop
        self._address = address
        self._on_claim = on_claim
        self._log = log
        self._speech = neighbour if is_ipv6(address) else arp
        self._repeats = Repeats()
        self._link: LinkSeen | None = None
        self._packets: socket.socket | None = None

    def attach_to(self, link: LinkSeen | None) -> None:
        """Use this interface from now on; None if it is gone."""
        if self._packets is not None:
            self._loop.unwatch(self._packets)
            self._packets.close()
            self._packets = None
        self._link = link
        if link is None:
            return
        packets = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        attach(packets, packet_filter.claims(self._address))
        try:
            packets.bind((link.name, self._speech.ETHERTYPE))
        except OSError as error:
            packets.close()
            self._log("announce impossible", {"interface": link.name, "reason": error.strerror})
            return
        self._packets = packets
        self._loop.watch(packets, self._on_frame)

    def begin(self, now_s: float) -> None:
        """Announce at once and then again and again."""
        self._repeats.begin(now_s)
        self._due(now_s)

    def end(self) -> None:
        """Announce no more; go on listening."""
        self._repeats.end()
        self._loop.at(f"announce {self._address}", None, self._due)

    def _due(self, now_s: float) -> None:
        self._send()
        self._repeats.announced(now_s)
        self._loop.at(f"announce {self._address}", self._repeats.due_s, self._due)

    def _send(self) -> None:
        if self._packets is None or self._link is None or len(self._link.hardware) != 6:
            return
        try:
            for frame in self._speech.announcements(self._address, self._link.hardware):
                self._packets.send(frame)
                self.sent += 1
        except OSError as error:
            # No carrier, interface down, buffer full, or the lease has just run out: the next
            # one will get through, or need not.
            self._log("announce failed", {"reason": error.strerror})

    def _on_frame(self) -> None:
        assert self._packets is not None
        try:
            frame = self._packets.recv(_FRAME_BYTES)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENETDOWN):
                self._log("listening failed", {"reason": error.strerror})
            return
        claim = self._speech.claim(frame)
        if claim is None or (self._link is not None and claim.hardware == self._link.hardware):
            return
        if self._repeats.due_s is None:
            return  # it is not ours: this is how its holder announces it
        self.claims += 1
        self._on_claim(claim)
        now_s = self._loop.now_s()
        if self._repeats.defend(now_s):
            self._due(now_s)
