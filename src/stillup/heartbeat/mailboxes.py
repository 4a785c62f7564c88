"""One network's sockets: one that sends, and a mailbox for each other server.

Each mailbox is a socket that is connected to its server, so the kernel puts into it what comes
from there and nothing else. A flood in one server's name fills that one's mailbox; what the
others say waits in their own. What comes from anywhere else takes no room at all.

The sending socket is not connected: the kernel tells only connected ones of the ICMP errors
that come in, and takes the next send for failed. It hears nothing, but it alone holds the
port: the mailboxes share it with each other and nobody shares it with this one.
"""

import errno
import functools
import socket
from collections import Counter
from collections.abc import Callable, Mapping

from stillup.heartbeat import packet_filter
from stillup.heartbeat.attach import attach
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.seal import MAGIC

BATCH = 512
"""How many datagrams are read from a mailbox in one go, which is more than one holds unless it
is flooded: a flood must not keep the timers from running. If several are, they share it."""

REST_S = 0.01
"""How long nothing is read from a mailbox after as many. Fifty thousand a second are far more
than a farm has to say, and take half of a core. Without the rest a flood would keep a daemon
that runs in real time from ever sleeping: HAProxy would starve beside it, and the kernel would
end it (``LimitRTTIME``)."""

_LONGEST_BYTES = 2048
_CS6 = 0xC0
_PRIORITY = 6
_FREEBIND = 15

SENDING = ""
"""What the sending socket is called among the descriptors."""


class Mailboxes:
    """The sockets; closed at first.

    Args:
        loop: For the sockets.
        here: This server's address and the port, the same on all servers.
        interface: The interface's name; None to hear the address on whichever it is.
        peers: Each other server's address by name.
        on_datagram: Called with the server from whose address a datagram came, and with it.
        log: Takes an event that may come in floods.

    Attributes:
        rests: How often reading from a mailbox paused.
        unsent: What the kernel did not take, or was told of by ICMP, by the error's name.
    """

    def __init__(
        self,
        loop: Loop,
        here: tuple[str, int],
        interface: str | None,
        peers: Mapping[str, str],
        on_datagram: Callable[[str, bytes], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.rests = 0
        self.unsent: Counter[str] = Counter()
        self._loop = loop
        self._here = here
        self._interface = interface
        self._peers = dict(peers)
        self._on_datagram = on_datagram
        self._log = log
        self._sending: socket.socket | None = None
        self._boxes: dict[str, socket.socket] = {}
        self._resting: set[str] = set()

    @property
    def descriptors(self) -> dict[str, int]:
        """The sockets', for a successor; none while they are closed."""
        if self._sending is None:
            return {}
        boxes = {name: box.fileno() for name, box in self._boxes.items()}
        return {SENDING: self._sending.fileno(), **boxes}

    def open(self) -> None:
        """Open them all, or none.

        Raises:
            OSError: If another program listens there, or the interface or the network is missing.
        """
        self.close()
        self._sending = self._made()
        try:
            self._sending.bind(self._here)
            self._complete()
        except OSError:
            self.close()
            raise

    def take_up(self, descriptors: Mapping[str, int]) -> None:
        """Go on with a predecessor's sockets, and with what waits in them.

        Raises:
            OSError: If a mailbox that it did not have cannot be made.
        """
        left = dict(descriptors)
        self._sending = _taken(left.pop(SENDING))
        for name, descriptor in left.items():
            box = _taken(descriptor)
            if name in self._peers and box.getpeername() == (self._peers[name], self._here[1]):
                self._watch(name, box)
            else:
                box.close()
        self._complete()

    def close(self) -> None:
        """Close them."""
        for name, box in self._boxes.items():
            self._loop.at(self._timer(name), None, lambda _: None)
            if name not in self._resting:
                self._loop.unwatch(box)
            box.close()
        self._boxes, self._resting = {}, set()
        if self._sending is not None:
            self._sending.close()
            self._sending = None

    def send(self, data: bytes, to: str) -> bool:
        """Send, or lose it, and return whether the kernel took it."""
        if self._sending is None:
            self.unsent["no interface"] += 1
            return False
        try:
            self._sending.sendto(data, (self._peers[to], self._here[1]))
        except OSError as error:
            # The link is down, the buffer is full, a firewall says no: as good as lost on the way.
            self._count(error)
            self._log("datagram not sent", {"to": to, "reason": error.strerror})
            return False
        return True

    # -- making --------------------------------------------------------------------------------

    def _made(self) -> socket.socket:
        made = socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        # Before the network is configured, the address may not be there yet.
        made.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
        if self._interface is not None:
            name = self._interface.encode() + b"\0"
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        return made

    def _complete(self) -> None:
        """Make the mailboxes that are missing."""
        assert self._sending is not None
        # Shared for this moment alone: at any other, a second daemon is told that we are here.
        self._sending.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name in self._peers.keys() - self._boxes.keys():
            self._watch(name, self._mailbox(self._peers[name]))
        self._sending.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        attach(self._sending, packet_filter.nothing())

    def _mailbox(self, address: str) -> socket.socket:
        made = self._made()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # First of all, so that nobody else's gets in before it is connected.
            attach(made, packet_filter.datagrams(MAGIC, address))
            made.bind(self._here)
            made.connect((address, self._here[1]))
        except OSError:
            made.close()
            raise
        return made

    # -- reading -------------------------------------------------------------------------------

    def _watch(self, name: str, box: socket.socket) -> None:
        self._boxes[name] = box
        self._loop.watch(box, functools.partial(self._on_readable, name))

    def _on_readable(self, name: str) -> None:
        for _ in range(max(1, BATCH // (1 + len(self._resting)))):
            box = self._boxes.get(name)
            if box is None:
                return
            try:
                data = box.recv(_LONGEST_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                # Nobody listens there: told once for each datagram, and no more is wrong here.
                self._count(error)
                continue
            self._on_datagram(name, data)
        self._rest(name)

    def _rest(self, name: str) -> None:
        """Read no more from it for a moment: this is a flood."""
        self.rests += 1
        self._resting.add(name)
        self._loop.unwatch(self._boxes[name])
        due_s = self._loop.now_s() + REST_S
        self._loop.at(self._timer(name), due_s, lambda _: self._read_on(name))

    def _read_on(self, name: str) -> None:
        self._resting.discard(name)
        self._watch(name, self._boxes[name])

    def _timer(self, name: str) -> str:
        return f"rest {self._here[0]} {name}"

    def _count(self, error: OSError) -> None:
        self.unsent[errno.errorcode.get(error.errno or 0, "unknown")] += 1


def _taken(descriptor: int) -> socket.socket:
    taken = socket.socket(fileno=descriptor)
    taken.settimeout(0)
    return taken
