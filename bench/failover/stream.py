"""A client whose connection stays open: how long it was without bytes at most, and how it ended.

``python stream.py ADDRESS PORT FILE``; on SIGTERM it writes one JSON object.
"""

import json
import selectors
import signal
import socket
import sys
import time
from pathlib import Path


def main() -> None:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    connection.settimeout(0)
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    last_s, gap_s, lost = time.monotonic(), 0.0, ""
    sys.stdout.write("streaming\n")
    sys.stdout.flush()
    while running and not lost:
        if not selector.select(0.05):
            continue
        try:
            lost = "" if connection.recv(65536) else "closed"
        except OSError as error:
            lost = error.strerror or "failed"
        now_s = time.monotonic()
        gap_s, last_s = max(gap_s, now_s - last_s), now_s
    gap_s = max(gap_s, time.monotonic() - last_s)
    Path(sys.argv[3]).write_text(json.dumps({"gap_s": gap_s, "lost": lost}))


if __name__ == "__main__":
    main()
