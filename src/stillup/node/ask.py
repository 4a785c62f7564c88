"""Make one real request, as a user would, and tell what came back.

``stillup status`` has a server that does not hold the virtual IP ask through it: the best
witness there is. Certificates are not verified, as they may be self-signed; the one shown is
handed back, so that the controller can say when it expires.
"""

import base64
import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

from stillup.errors import InputRefused
from stillup.node.message import JsonObject

MOST_BYTES = 1 << 20
"""So much of a body is read; a health page has a few hundred bytes."""
PORTS = {"http": 80, "https": 443}


def ask(url: str, host: str, within_s: float) -> JsonObject:
    """Ask for ``url`` and return the answer's status, or why there was none.

    Args:
        url: ``http`` or ``https``, with an address and a path.
        host: What stands in the Host header, and in the TLS greeting.
        within_s: How long each step (connecting, the greeting, each read) may take.

    Returns:
        ``{"status": int|null, "seconds": float, "error": str|null, "balancer": str|null,
        "certificate": base64 of DER|null}``; ``balancer`` is who answered, by its own header.

    Raises:
        InputRefused: If the URL is of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or parts.hostname is None:
        raise InputRefused(f"ask: {url!r} is no http or https address")
    address = (parts.hostname, parts.port or PORTS[parts.scheme])
    began_s = time.monotonic()
    told: JsonObject = {"status": None, "error": None, "balancer": None, "certificate": None}
    try:
        with _line(address, host if parts.scheme == "https" else None, within_s) as line:
            told |= _certificate(line)
            told |= _answer(line, host, parts.path or "/")
    except (OSError, http.client.HTTPException) as error:
        told["error"] = _words(error, within_s)
    told["seconds"] = round(time.monotonic() - began_s, 4)
    return told


def _line(address: tuple[str, int], greeted: str | None, within_s: float) -> socket.socket:
    line = socket.create_connection(address, timeout=within_s)
    if greeted is None:
        return line
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(line, server_hostname=greeted)
    except BaseException:
        line.close()
        raise


def _certificate(line: socket.socket) -> JsonObject:
    shown = line.getpeercert(binary_form=True) if isinstance(line, ssl.SSLSocket) else None
    return {"certificate": base64.b64encode(shown).decode()} if shown else {}


def _answer(line: socket.socket, host: str, path: str) -> JsonObject:
    connection = http.client.HTTPConnection(host)
    connection.sock = line
    connection.request("GET", path, headers={"Connection": "close", "User-Agent": "stillup-status"})
    response = connection.getresponse()
    response.read(MOST_BYTES)
    return {"status": response.status, "balancer": response.getheader("X-Balancer")}


def _words(error: Exception, within_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {within_s:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
