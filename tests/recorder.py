"""Records heartbeat datagrams on their way to a server, as somebody on the wire may.

``python tests/recorder.py PORT [SOURCE]``, in the bridge's namespace: prints some that come out at
this port of the bridge, one a line in hexadecimal; only those from SOURCE if it is given.
"""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

COUNT = 40
PATIENCE_S = 10.0

_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4
_HEARTBEAT = (6940).to_bytes(2, "big")


def recorded(enter: Sequence[str], port: str, source: str = "") -> list[bytes]:
    """Return some datagrams on their way out of a port of the bridge.

    Args:
        enter: The words that enter the bridge's namespace.
        port: The port's name.
        source: From whom; anybody if empty.
    """
    argv = [*enter, sys.executable, str(Path(__file__).resolve()), port, source]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return [bytes.fromhex(line) for line in done.stdout.split()]


def main(port: str, source: str) -> None:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
    packets.bind((port, _ALL_PROTOCOLS))
    left = COUNT
    while left:
        data, (_, _, kind, *_) = packets.recvfrom(2048)
        is_ours = data[9] == socket.IPPROTO_UDP and data[22:24] == _HEARTBEAT
        if kind == _OUTGOING and is_ours and source in ("", socket.inet_ntoa(data[12:16])):
            sys.stdout.write(data[28:].hex() + "\n")
            left -= 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
