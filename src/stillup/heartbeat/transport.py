"""The datagrams: a UDP socket on the LAN interface, and what is signed and believed.

Bound to the interface and not only to the address: a vote says "I hear you on the LAN", which
it must not say when it came another way. Nothing that happens to a datagram is an error of the
daemon: what cannot be sent is lost, as any datagram may be.
"""

import errno
import socket
from collections import Counter
from collections.abc import Callable, Mapping

from stillup.errors import ServerFailed
from stillup.heartbeat import packet_filter
from stillup.heartbeat.attach import attach
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.messages import Message
from stillup.heartbeat.report import counted
from stillup.heartbeat.seal import MAGIC, NotOpened, Rejected, Seal
from stillup.heartbeat.settings_reader import Json

BATCH = 512
"""How many datagrams are read in one go, which is more than a socket holds unless it is flooded:
a flood must not keep the timers from running."""

REST_S = 0.01
"""How long nothing is read after as many. Fifty thousand a second are far more than a farm has
to say, and take half of a core. Without the rest a flood would keep a daemon that runs in real
time from ever sleeping: HAProxy would starve beside it, and the kernel would end it
(``LimitRTTIME``)."""

_LONGEST_BYTES = 2048
_CS6 = 0xC0
_PRIORITY = 6
_FREEBIND = 15
_RETRY_S = 0.5


class Transport:
    """Sends and receives messages.

    Args:
        loop: For the socket.
        seal: Signs and checks.
        here: This server's address and the port, the same on all servers.
        interface: The interface's name; None to hear the address on whichever it is.
        peers: Each other server's address by name.
        on_message: Called with each message that is believed, who sent it, and about which
            virtual IP.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        seal: Seal,
        here: tuple[str, int],
        interface: str | None,
        peers: Mapping[str, str],
        on_message: Callable[[str, Message, str], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.sent = 0
        self.received = 0
        self.rests = 0
        self.unsent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._loop = loop
        self._seal = seal
        self._here = here
        self._retry, self._rests = f"open {here[0]}", f"rest {here[0]}"
        self._interface = interface
        self._peers = dict(peers)
        self._on_message = on_message
        self._log = log
        self._socket: socket.socket | None = None
        self._resting = False

    def status(self) -> dict[str, Json]:
        """Return how much was said and heard."""
        return {
            "sent": self.sent,
            "received": self.received,
            "floods": self.rests,
            "unsent": counted(self.unsent),
            "refused": counted(self.refused),
        }

    def open(self) -> None:
        """Open the socket, or open it anew after the interface came back.

        Where the interface is missing, it is tried again until it is there.

        Raises:
            ServerFailed: If another daemon runs on this server already.
        """
        self.close()
        datagrams = socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            # Before the network is configured, the address may not be there yet.
            datagrams.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
            datagrams.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
            if self._interface is not None:
                name = self._interface.encode() + b"\0"
                datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            attach(datagrams, packet_filter.datagrams(MAGIC, self._peers.values()))
            datagrams.bind(self._here)
        except OSError as error:
            datagrams.close()
            address = f"{self._here[0]}:{self._here[1]}"
            if error.errno == errno.EADDRINUSE:
                raise ServerFailed(
                    f"another program listens at {address}: is a heartbeat running already? "
                    "see `systemctl status stillup-heartbeat`"
                ) from error
            self._log("listening impossible", {"address": address, "reason": error.strerror})
            self._loop.at(self._retry, self._loop.now_s() + _RETRY_S, lambda _: self.open())
            return
        self._loop.at(self._retry, None, lambda _: None)
        self._socket = datagrams
        self._loop.watch(datagrams, self._on_readable)

    @property
    def descriptor(self) -> int | None:
        """The socket's, for a successor; None while it is not open."""
        return None if self._socket is None else self._socket.fileno()

    def take_up(self, descriptor: int) -> None:
        """Go on with a predecessor's socket, and with what waits in it.

        Raises:
            OSError: If the kernel does not take the filter.
        """
        datagrams = socket.socket(fileno=descriptor)
        datagrams.settimeout(0)
        attach(datagrams, packet_filter.datagrams(MAGIC, self._peers.values()))
        self._socket = datagrams
        self._loop.watch(datagrams, self._on_readable)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            if not self._resting:
                self._loop.unwatch(self._socket)
            self._socket.close()
            self._socket = None
        self._resting = False
        self._loop.at(self._rests, None, self._read_on)

    def send(self, to: str, message: Message, subject: str) -> None:
        """Sign and send, or lose it."""
        self._send(self._seal.close(to, message, subject), to)

    def _send(self, data: bytes, to: str) -> None:
        if self._socket is None:
            self.unsent["no interface"] += 1
            return
        try:
            self._socket.sendto(data, (self._peers[to], self._here[1]))
            self.sent += 1
        except OSError as error:
            # The link is down, the buffer is full, a firewall says no: as good as lost on the way.
            self.unsent[errno.errorcode.get(error.errno or 0, "unknown")] += 1
            self._log("datagram not sent", {"to": to, "reason": error.strerror})

    def _on_readable(self) -> None:
        for _ in range(BATCH):
            if self._socket is None:
                return
            try:
                data, source = self._socket.recvfrom(_LONGEST_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._log("datagram not received", {"reason": error.strerror})
                return
            self._open(data, str(source[0]))
        self._rest()

    def _rest(self) -> None:
        """Read no more for a moment: this is a flood."""
        if self._socket is None:
            return
        self.rests += 1
        self._resting = True
        self._loop.unwatch(self._socket)
        self._loop.at(self._rests, self._loop.now_s() + REST_S, self._read_on)

    def _read_on(self, _now_s: float) -> None:
        self._resting = False
        if self._socket is not None:
            self._loop.watch(self._socket, self._on_readable)

    def _open(self, data: bytes, source: str) -> None:
        opened = self._seal.open(data)
        if isinstance(opened, NotOpened):
            self._refuse(opened, source)
        elif self._peers.get(opened.sender) != source:
            self.refused["other address"] += 1
            self._log("datagram refused", {"source": source, "reason": "not its sender's address"})
        else:
            self.received += 1
            self._on_message(opened.sender, opened.message, opened.subject)

    def _refuse(self, refused: NotOpened, source: str) -> None:
        if refused.reason is Rejected.INTRODUCTION:
            return
        self.refused[refused.reason.value] += 1
        if refused.answer is not None and refused.sender in self._peers:
            self._send(refused.answer, refused.sender)
            return
        self._log("datagram refused", {"source": source, "reason": refused.reason.value})
