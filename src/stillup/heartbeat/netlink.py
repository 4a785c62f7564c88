"""A netlink socket: a request and its answers, or what the kernel tells by itself.

The whole client the daemon needs, on the standard library: importing pyroute2 costs 26 MB of
memory on Debian 13, and ``ip`` and ``nft`` cost a process each in the hot path
(docs/decisions/0301-netlink-without-a-library.md).
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator

from stillup.heartbeat.attributes import ACKNOWLEDGE, DONE, REQUEST, Message, message, messages

ROUTE = 0
NETFILTER = 12

_BUFFER_BYTES = 65536
_ANSWER_TIMEOUT = struct.pack("@ll", 0, 250_000)


class NetlinkRefused(OSError):
    """The kernel answered a request with an error; ``errno`` tells which.

    Args:
        number: The ``errno``.
        sequence: The sequence number of the message that was refused; 0 if not known.
    """

    def __init__(self, number: int, sequence: int = 0) -> None:
        super().__init__(number, os.strerror(number))
        self.sequence = sequence


class Netlink:
    """One socket of one netlink family, for requests that are answered at once."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family
        )
        self._socket.bind((0, 0))
        # The kernel answers within sendto(); the timeout is a belt for a kernel that does not.
        # Not settimeout(): with it, Python would wait in MSG_DONTWAIT calls as well.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _ANSWER_TIMEOUT)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def next_sequence(self) -> int:
        """Return a sequence number not used before on this socket."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence

    def request(self, kind: int, flags: int, body: bytes) -> None:
        """Send one request, ask for an acknowledgement, and wait for it.

        Raises:
            NetlinkRefused: If the kernel refuses it.
        """
        sequence = self.next_sequence()
        data = message(kind, REQUEST | ACKNOWLEDGE | flags, sequence, body)
        self.exchange(data, lambda answered: answered == sequence)

    def dump(self, kind: int, flags: int, body: bytes) -> Iterator[Message]:
        """Yield the messages of a dump.

        Raises:
            NetlinkRefused: If the kernel refuses the request.
        """
        sequence = self.next_sequence()
        self._drop_old_answers()
        self._socket.sendto(message(kind, REQUEST | flags, sequence, body), (0, 0))
        while True:
            for answer in messages(self._receive()):
                if answer.sequence != sequence:
                    continue
                if answer.kind == DONE:
                    return
                if answer.error is not None:
                    if answer.error:
                        raise NetlinkRefused(answer.error, sequence)
                    return
                yield answer

    def exchange(self, data: bytes, is_last: Callable[[int], bool]) -> None:
        """Send ``data`` and read acknowledgements until the last; the first error is raised.

        Args:
            data: One message or a whole batch.
            is_last: Whether an answer with this sequence number ends the exchange.

        Raises:
            NetlinkRefused: If the kernel refuses any part.
        """
        self._drop_old_answers()
        self._socket.sendto(data, (0, 0))
        refused: NetlinkRefused | None = None
        while True:
            for answer in messages(self._receive()):
                if answer.error and refused is None:
                    refused = NetlinkRefused(answer.error, answer.sequence)
                if answer.error is not None and is_last(answer.sequence):
                    if refused is not None:
                        raise refused
                    return

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_BUFFER_BYTES)
        except BlockingIOError:
            raise NetlinkRefused(errno.ETIMEDOUT) from None

    def _drop_old_answers(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(_BUFFER_BYTES, socket.MSG_DONTWAIT):
                pass


class NetlinkEvents:
    """A socket on which the kernel tells of changes; to be waited for with a selector."""

    def __init__(self, family: int, groups: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, family
        )
        self._socket.bind((0, groups))

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def receive(self) -> tuple[list[Message], bool]:
        """Return what was told since the last call, and whether some of it was lost.

        When some was lost (the buffer ran over), the caller looks at everything anew.
        """
        told: list[Message] = []
        lost = False
        while True:
            try:
                told.extend(messages(self._socket.recv(_BUFFER_BYTES)))
            except BlockingIOError:
                return told, lost
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
