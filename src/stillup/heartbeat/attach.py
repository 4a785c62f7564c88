"""Gives a socket a packet filter: the one act that ``packet_filter.py`` needs."""

import ctypes
import socket
import struct
from collections.abc import Sequence

from stillup.heartbeat.packet_filter import ATTACH, Step, assembled


def attach(receiver: socket.socket, steps: Sequence[Step]) -> None:
    """Have the kernel run a filter on what ``receiver`` would get.

    Raises:
        OSError: If the kernel does not take it.
    """
    code = ctypes.create_string_buffer(assembled(steps))
    head = struct.pack("@HP", len(steps), ctypes.addressof(code))
    receiver.setsockopt(socket.SOL_SOCKET, ATTACH, head)
