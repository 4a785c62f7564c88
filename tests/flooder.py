"""Sends datagrams as fast as this machine can, over and over until it is terminated.

``python tests/flooder.py --to 10.0.0.2 [--from 10.0.0.3] --kind noise|heads|lines [--heads FILE]``

``noise`` is random bytes. ``heads`` begins as the farm's own datagrams do (hexadecimal lines in a
file, as a stranger may know them from another day) and goes on with random bytes. ``lines``
are those very lines, again and again. Sent with ``sendmmsg(2)``, a thousand a call; prints how many it sent and in what time, as JSON.
"""

import argparse
import ctypes
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BATCH = 1000
PORT = 6940
HEAD_BYTES = 12
"""Magic, version, key id and configuration: what is the same in all of a farm's datagrams."""


class Piece(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))  # type: ignore[mutable-override] # as ctypes says


class Header(ctypes.Structure):
    """``struct mmsghdr`` of a connected socket."""

    _fields_ = (  # type: ignore[mutable-override] # as ctypes says
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(Piece)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_long),  # an int, and what fills ``struct msghdr`` up
        ("sent", ctypes.c_uint),
    )


def contents(kind: str, lines: Sequence[bytes], luck: random.Random) -> list[bytes]:
    """Return datagrams of this kind."""
    if kind == "noise":
        return [luck.randbytes(105) for _ in range(BATCH)]
    if kind == "heads":
        return [luck.choice(lines)[:HEAD_BYTES] + luck.randbytes(93) for _ in range(BATCH)]
    return list(lines)


def flood(target: socket.socket, datagrams: Sequence[bytes], pace: float) -> int:
    """Send them over and over until terminated; return how many.

    ``pace``: how many a second at most; 0 for as many as can be.
    """
    library = ctypes.CDLL(None)
    pieces = (Piece * len(datagrams))(*(Piece(data, len(data)) for data in datagrams))
    headers = (Header * len(datagrams))()
    for number, header in enumerate(headers):
        header.pieces, header.count = ctypes.pointer(pieces[number]), 1
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    sent = at = 0
    began_s = time.monotonic()
    while not ended:
        if pace and sent > pace * (time.monotonic() - began_s):
            time.sleep(0.001)
            continue
        # A thousandth of a second's at a time, so that they come evenly.
        batch = min(max(1, int(pace / 1000)) if pace else BATCH, BATCH, len(datagrams) - at)
        done = max(0, library.sendmmsg(target.fileno(), ctypes.byref(headers[at]), batch, 0))
        sent, at = sent + done, (at + done) % len(datagrams)
    return sent


class Flooder:
    """A flood that runs beside the test.

    Args:
        enter: The words that enter the sender's namespace.
        words: The arguments of this program.
    """

    def __init__(self, enter: Sequence[str], words: Sequence[str]) -> None:
        argv = [*enter, sys.executable, str(Path(__file__).resolve()), *words]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "flooding\n"

    def stop(self) -> float:
        """End it and return how many datagrams it sent in a second."""
        self._process.terminate()
        told, _ = self._process.communicate(timeout=10)
        figures = json.loads(told)
        return float(figures["sent"] / figures["seconds"])

    def kill(self) -> None:
        """End it, however the test ended."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--from", dest="source", default="")
    parser.add_argument("--kind", choices=("noise", "heads", "lines"), required=True)
    parser.add_argument("--heads", type=Path)
    parser.add_argument("--pace", type=float, default=0.0)
    arguments = parser.parse_args()
    lines = (
        [bytes.fromhex(line) for line in arguments.heads.read_text().split()]
        if arguments.heads
        else []
    )
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # The sender's port is the farm's too, so that nothing but the contents gives it away.
    target.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    target.bind((arguments.source, PORT))
    target.connect((arguments.to, PORT))
    datagrams = contents(arguments.kind, lines, random.Random(1))
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    began_s = time.monotonic()
    sent = flood(target, datagrams, arguments.pace)
    sys.stdout.write(json.dumps({"sent": sent, "seconds": time.monotonic() - began_s}))


if __name__ == "__main__":
    main()
