"""A client that asks the address every 2 ms (ICMP echo, in real time) and notes each gap.

``python ping.py ADDRESS FILE``; on SIGTERM it writes one JSON object: the gaps between one
answer and the next that were longer than 6 ms, when the last answer came, and how late the
client itself ran, for its own lateness looks like an outage. Times on ``CLOCK_MONOTONIC``.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

EVERY_S = 0.002
GAP_S = 0.006
LATE_S = 0.003
_REPLY, _REQUEST = 0, 8


def request(number: int, identity: int) -> bytes:
    """Return an echo request, its checksum and all (RFC 792)."""
    head = struct.pack("!BBHHH", _REQUEST, 0, 0, identity, number & 0xFFFF)
    total = sum(struct.unpack("!4H", head))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", _REQUEST, 0, ~total & 0xFFFF, identity, number & 0xFFFF)


def ping(address: str) -> dict[str, object]:
    """Ask until terminated."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    connection.settimeout(0)
    identity = os.getpid() & 0xFFFF
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    gaps: list[tuple[float, float]] = []
    late: list[tuple[float, float]] = []
    began_s = last_s = due_s = time.monotonic()
    number = answers = 0
    while running:
        now_s = time.monotonic()
        if now_s >= due_s:
            if now_s - due_s > LATE_S:
                late.append((now_s, now_s - due_s))
            number += 1
            with contextlib.suppress(OSError):  # nobody there: the kernel may say so here
                connection.sendto(request(number, identity), (address, 0))
            due_s = max(due_s + EVERY_S, now_s)
        # Not poll: it counts in whole milliseconds.
        select.select([connection], [], [], max(0.0, due_s - time.monotonic()))
        with contextlib.suppress(OSError):
            while True:
                data = connection.recv(128)
                if data[20] == _REPLY and int.from_bytes(data[24:26], "big") == identity:
                    now_s = time.monotonic()
                    answers += 1
                    if now_s - last_s > GAP_S:
                        gaps.append((last_s, now_s))
                    last_s = now_s
    told = {"began_s": began_s, "last_s": last_s, "ended_s": time.monotonic()}
    return {**told, "gaps": gaps, "late": late, "asked": number, "answers": answers}


def main() -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    Path(sys.argv[2]).write_text(json.dumps(ping(sys.argv[1])))


if __name__ == "__main__":
    main()
