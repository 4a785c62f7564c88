"""Frames in and out, with the kernel's own time of their coming.

Source: packet(7); socket(7); linux/filter.h.
"""

import ctypes
import socket
import struct
import time
from collections.abc import Sequence

OUTGOING = 4
"""The direction of a frame that this machine sends itself."""
_ATTACH_FILTER = 26
_TIMESTAMP_NS = 35
_SOL_PACKET, _STATISTICS = 263, 6
_ROOM_BYTES = 4 << 20
_FRAME_BYTES = 128

Step = tuple[int, int, int, int]
"""Of a classic BPF program: what, jump if true, jump if false, value."""


def opened(protocol: int) -> socket.socket:
    """Return a socket for whole frames that notes when they came.

    Raises:
        PermissionError: Without CAP_NET_RAW.
    """
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    packets.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
    return packets


def attach(packets: socket.socket, steps: Sequence[Step]) -> None:
    """Have the kernel drop what a filter does not let through, before it wakes this process."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    head = struct.pack("@HP", len(steps), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, head)


def received(packets: socket.socket) -> tuple[bytes, float, tuple[str, int]]:
    """Return the beginning of a frame, when it came (monotonic), its interface and direction.

    Raises:
        TimeoutError, BlockingIOError: If there is none.
        OSError: If the interface is gone.
    """
    frame, extra, _, source = packets.recvmsg(_FRAME_BYTES, 64)
    at_s = time.monotonic()
    for _, kind, data in extra:
        if kind == _TIMESTAMP_NS:
            seconds, nanoseconds = struct.unpack_from("@ll", data)
            at_s = seconds + nanoseconds / 1e9 + _BETWEEN_CLOCKS_S
    return frame, at_s, (source[0], source[2])


def dropped(packets: socket.socket) -> int:
    """Return how many frames had no room since this was asked last."""
    told = packets.getsockopt(_SOL_PACKET, _STATISTICS, 8)
    drops: int = struct.unpack("@II", told)[1]
    return drops


def _between_clocks_s() -> float:
    """Return what to add to the wall clock, which the kernel stamps with, for the monotonic one.

    Taken once, the closest of many pairs of readings: taken anew for each frame, a pause of
    this process between the two readings would move that frame past the ones after it.
    """
    pairs = [(time.monotonic(), time.time(), time.monotonic()) for _ in range(100)]
    before_s, wall_s, after_s = min(pairs, key=lambda pair: pair[2] - pair[0])
    return (before_s + after_s) / 2 - wall_s


_BETWEEN_CLOCKS_S = _between_clocks_s()
