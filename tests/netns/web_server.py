"""Stands for HAProxy: answers every GET with its name, on every address, port 80 and 8405.

``python web_server.py NAME PID_FILE``. The real HAProxy comes in the lab tests.
"""

import os
import selectors
import socket
import sys
from pathlib import Path

from stillup.priority import preferred

PORTS = (80, 8405)


def serve(name: str) -> None:
    """Answer for ever; a connection is kept unless the question says otherwise."""
    body = name.encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    selector = selectors.EpollSelector()
    for port in PORTS:
        place, both = ("::", port), socket.AF_INET6
        listener = socket.create_server(place, family=both, backlog=512, dualstack_ipv6=True)
        selector.register(listener, selectors.EVENT_READ, None)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    while True:
        for key, _ in selector.select():
            if isinstance(key.fileobj, socket.socket):
                one(selector, key.fileobj, answer, is_listener=key.data is None)


def one(
    selector: selectors.BaseSelector, ready: socket.socket, answer: bytes, *, is_listener: bool
) -> None:
    """Accept, or answer what came in one piece."""
    if is_listener:
        connection, _ = ready.accept()
        selector.register(connection, selectors.EVENT_READ, "connection")
        return
    try:
        asked = ready.recv(4096)
        if asked:
            ready.send(answer)
    except OSError:
        asked = b""
    if not asked or b"Connection: close" in asked:
        selector.unregister(ready)
        ready.close()


if __name__ == "__main__":
    # What else this machine does must not look like an outage.
    preferred()
    Path(sys.argv[2]).write_text(f"{os.getpid()}\n")
    serve(sys.argv[1])
