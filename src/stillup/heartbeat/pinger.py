"""Pings the witness: ICMP echo over a raw socket on the LAN interface, for IPv4 and IPv6.

Each ping bears a word of eight random bytes, and only an answer with that word, from the address
that was asked, counts: so an answer to an earlier life, or one that somebody makes up
without having seen the question, is none. Nothing that happens to a ping is an error of the daemon:
what cannot be sent is lost, as any datagram may be.
"""

import errno
import ipaddress
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping

from stillup.heartbeat import echo
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.settings_reader import Json

WORD_BYTES = 8
OUTSTANDING = 256
"""How many pings may be under way; older ones are forgotten."""

_BATCH = 64
_LONGEST_BYTES = 2048
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_FILTERS = {
    # A set bit keeps a type out: all but the echo reply, types 0 and 129 (linux/icmp.h, icmpv6.h).
    4: (_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFE)),
    6: (
        socket.IPPROTO_ICMPV6,
        _ICMP6_FILTER,
        struct.pack("=8I", *(0xFFFFFFFD if word == 4 else 0xFFFFFFFF for word in range(8))),
    ),
}


class Pinger:
    """Asks one witness, and tells of its answers.

    Args:
        loop: For the socket.
        address: The witness's, IPv4 or IPv6.
        interface: The LAN interface's name: another way to it says nothing.
        on_answer: Called with what was given to ``ask``.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        address: str,
        interface: str,
        on_answer: Callable[[str, int], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self.asked = 0
        self.answered = 0
        self.unsent: Counter[str] = Counter()
        self._loop = loop
        self._address = address
        self._version = ipaddress.ip_address(address).version
        self._interface = interface
        self._on_answer = on_answer
        self._log = log
        self._socket: socket.socket | None = None
        self._open: dict[bytes, tuple[str, int]] = {}

    def open(self) -> None:
        """Open the socket, or open it anew after the interface came back.

        Where that is not possible now, the next ``ask`` tries again.
        """
        self.close()
        try:
            self._socket = self._opened()
        except OSError as error:
            self._lost(error)
            return
        self._loop.watch(self._socket, self._on_readable)

    def _opened(self) -> socket.socket:
        four = self._version == 4
        raw = socket.socket(
            socket.AF_INET if four else socket.AF_INET6,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.IPPROTO_ICMP if four else socket.IPPROTO_ICMPV6,
        )
        try:
            raw.setsockopt(*_FILTERS[self._version])
            name = self._interface.encode() + b"\0"
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        except OSError:
            raw.close()
            raise
        return raw

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._loop.unwatch(self._socket)
            self._socket.close()
            self._socket = None

    def ask(self, subject: str, number: int) -> None:
        """Ping; the answer is told with the same two values.

        Args:
            subject: The virtual IP it is about.
            number: The node's number of this ping.
        """
        if self._socket is None:
            self.open()
        if self._socket is None:
            return
        word = os.urandom(WORD_BYTES)
        packet = echo.request(self._version, os.getpid(), number, word)
        try:
            self._socket.sendto(packet, (self._address, 0))
        except OSError as error:
            self._lost(error)
            return
        self.asked += 1
        self._open[word] = (subject, number)
        if len(self._open) > OUTSTANDING:
            del self._open[next(iter(self._open))]

    def status(self) -> dict[str, Json]:
        """Return how many pings were sent, answered and lost on this side."""
        lost: dict[str, Json] = dict(sorted(self.unsent.items()))
        return {"asked": self.asked, "answered": self.answered, "unsent": lost}

    def _lost(self, error: OSError) -> None:
        self.unsent[errno.errorcode.get(error.errno or 0, "unknown")] += 1
        self._log("witness not asked", {"witness": self._address, "reason": error.strerror})

    def _on_readable(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                packet, source = self._socket.recvfrom(_LONGEST_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(error)
                return
            if str(source[0]).partition("%")[0] == self._address:
                self._hear(packet)

    def _hear(self, packet: bytes) -> None:
        word = echo.reply(self._version, packet)
        told = self._open.pop(word, None) if word is not None else None
        if told is not None:
            self.answered += 1
            self._on_answer(*told)


class Pingers:
    """One pinger for each witness of an electorate; none at a server that may not hold.

    Args:
        loop: For the sockets.
        electorate: Who takes part.
        name: This server.
        interface: The LAN interface's name.
        on_answer: Called with the subject, the witness's address and the number.
        log: Takes an event that may come in floods.
    """

    def __init__(
        self,
        loop: Loop,
        electorate: Electorate,
        name: str,
        interface: str,
        on_answer: Callable[[str, str, int], None],
        log: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        def answered(address: str) -> Callable[[str, int], None]:
            return lambda subject, number: on_answer(subject, address, number)

        addresses = electorate.witness_addresses.values() if name in electorate.eligible else ()
        self._pingers = {
            address: Pinger(loop, address, interface, answered(address), log)
            for address in addresses
        }

    def ask(self, subject: str, address: str, number: int) -> None:
        """Ping a witness about a virtual IP."""
        if address in self._pingers:
            self._pingers[address].ask(subject, number)

    def open(self) -> None:
        """Open the sockets, or open them anew after the interface came back."""
        for pinger in self._pingers.values():
            pinger.open()

    def status(self) -> dict[str, Json]:
        """Return what is known of each witness, by its address."""
        return {address: pinger.status() for address, pinger in self._pingers.items()}
