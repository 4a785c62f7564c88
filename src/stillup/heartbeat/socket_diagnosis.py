"""The TCP connections to one local address: counted, and destroyed (Linux's ``sock_diag``).

Source: sock_diag(7), linux/inet_diag.h; the filter program is ``inet_diag_bc_op``.
"""

import errno
import ipaddress
import struct
from collections.abc import Iterable, Iterator

from stillup.heartbeat.attributes import DUMP, Message, attribute
from stillup.heartbeat.netlink import Netlink, NetlinkRefused

DIAGNOSIS = 4
"""``NETLINK_SOCK_DIAG``."""

_BY_FAMILY, _DESTROY = 20, 21
_TCP = 6
_IPV4, _IPV6 = 2, 10
_BYTECODE = 1
_SOURCE = 7
_HEADER = struct.Struct("=BBBxI")
_ENTRY = struct.Struct("=BBBB")
_IDENTITY_BYTES = 48
_OPERATION = struct.Struct("=BBH")
_CONDITION = struct.Struct("=BBxxi")

# Everything but TIME_WAIT (6), CLOSE (7) and LISTEN (10), as bits of ``tcp_states.h``.
_OPEN = sum(1 << state for state in (1, 2, 3, 4, 5, 8, 9, 11, 12))


class Connections:
    """The connections of this network namespace to one local address."""

    def __init__(self, address: str) -> None:
        self._packed = ipaddress.ip_address(address).packed
        self._netlink = Netlink(DIAGNOSIS)

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def count(self) -> int:
        """Return how many are open; a connection in TIME_WAIT is not.

        Raises:
            NetlinkRefused: If the kernel cannot tell.
        """
        return sum(1 for _ in self._identities())

    def identities(self) -> list[bytes]:
        """Return what ``destroy`` knows each of the open ones by.

        Raises:
            NetlinkRefused: If the kernel cannot tell.
        """
        return list(self._identities())

    def destroy(self, identities: Iterable[bytes]) -> None:
        """End these, with a reset to the other end.

        Raises:
            NetlinkRefused: If the kernel refuses.
        """
        for identity in identities:
            try:
                self._netlink.request(_DESTROY, 0, self._request(identity))
            except NetlinkRefused as error:
                if error.errno != errno.ENOENT:  # then it has ended by itself
                    raise

    def _identities(self) -> Iterator[bytes]:
        body = self._request(b"\0" * _IDENTITY_BYTES) + attribute(_BYTECODE, self._program())
        for answer in self._netlink.dump(_BY_FAMILY, DUMP, body):
            yield _identity(answer)

    def _request(self, identity: bytes) -> bytes:
        return _HEADER.pack(self._kind, _TCP, 0, _OPEN) + identity

    def _program(self) -> bytes:
        """Return the filter: the source address is ours, with any port."""
        condition = _CONDITION.pack(self._kind, len(self._packed) * 8, -1) + self._packed
        length = _OPERATION.size + len(condition)
        # "Yes" goes on behind the program, which is acceptance; "no" jumps beyond that.
        return _OPERATION.pack(_SOURCE, length, length + _OPERATION.size) + condition

    @property
    def _kind(self) -> int:
        return _IPV6 if len(self._packed) == 16 else _IPV4


def _identity(answer: Message) -> bytes:
    if len(answer.body) < _ENTRY.size + _IDENTITY_BYTES:
        raise NetlinkRefused(0)
    return answer.body[_ENTRY.size : _ENTRY.size + _IDENTITY_BYTES]
