"""Asks another keeper how its server stands: acting."""

import http.client
import secrets
import socket
from urllib.parse import urlencode

from stillup.keeper import seal
from stillup.keeper.settings import Json, Settings

LARGEST = 65536


class NoWord(Exception):
    """The other keeper did not answer in time, or not with the farm's signature."""


def ask(
    settings: Settings, key: bytes, name: str, *, founding: bool, within_s: float
) -> dict[str, Json]:
    """Return what the keeper of ``name`` says about its server.

    Args:
        settings: Who is who.
        key: The farm's key.
        name: A peer, or this server itself.
        founding: Tell it that this server has declared that it founds: it promises then not to
            wait for its saved view.
        within_s: How long each word of the answer may take.

    Raises:
        NoWord: If there is no right answer.
    """
    address = settings.address if name == settings.name else settings.peers[name]
    nonce = secrets.token_hex(16)
    question = {"nonce": nonce}
    if founding:
        said = seal.told(nonce, settings.name, founding=True)
        question |= {"founding": settings.name, "mac": seal.mac(key, said)}
    try:
        return seal.open_(key, nonce, name, _get(address, settings.port, question, within_s))
    except (OSError, http.client.HTTPException, seal.Forged) as error:
        raise NoWord(f"{name} ({address}): {error}") from error


def _get(address: str, port: int, question: dict[str, str], within_s: float) -> bytes:
    connection = http.client.HTTPConnection(address, port, timeout=within_s)
    try:
        connection.request("GET", "/state?" + urlencode(question))
        answer = connection.getresponse()
        body = answer.read(LARGEST)
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise NoWord(f"it answers {answer.status}")
    return body


def listening(address: str, port: int) -> socket.socket:
    """Return a socket that listens for HAProxy and for the other keepers.

    Raises:
        OSError: If the address is not there yet, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
