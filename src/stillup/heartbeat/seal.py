"""Signed envelopes: who sent a datagram, to whom, fresh, and for this farm.

TYPES ARE FINAL, the code follows in the next commit.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from stillup.heartbeat.messages import Message


class Rejected(enum.Enum):
    """Why a datagram is not believed; each is counted by the shell."""

    MALFORMED = "malformed"
    OTHER_VERSION = "other version"
    UNKNOWN_KEY = "unknown key"
    BAD_SIGNATURE = "bad signature"
    OTHER_CONFIGURATION = "other configuration"
    NOT_FOR_US = "not for us"
    OWN_ECHO = "own echo"
    STRANGER = "stranger"
    FORMER_LIFE = "former life"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Opened:
    """A datagram that is believed."""

    sender: str
    message: Message


@dataclass(frozen=True, slots=True)
class NotOpened:
    """A datagram that is not believed.

    Args:
        reason: Why.
        sender: Who signed it; None before the signature was proven.
        answer: A datagram to send back to ``sender``, if there is one: the introduction that
            lets an honest sender who did not know of our restart be believed next time.
    """

    reason: Rejected
    sender: str | None = None
    answer: bytes | None = None


class Seal:
    """Signs what one server sends and checks what it gets.

    Args:
        name: This server.
        peers: The names of all other servers of the farm.
        incarnation: The same 64 random bits that the ``Node`` was given.
        configuration: ``Electorate.fingerprint()``.
        keys: Key id (0..255) to secret, at least 16 bytes each. The first signs, each is
            believed: a key is rotated by adding it last, then moving it first, then
            removing the old one, one rollout each.

    Raises:
        ValueError: If there is no key, or one is too short or has an id out of range.
    """

    def __init__(
        self,
        name: str,
        peers: frozenset[str],
        incarnation: int,
        configuration: bytes,
        keys: Mapping[int, bytes],
    ) -> None:
        raise NotImplementedError

    def close(self, to: str, message: Message) -> bytes:
        """Return the datagram that says ``message`` to the server ``to``; at most 512 bytes."""
        raise NotImplementedError

    def open(self, data: bytes) -> Opened | NotOpened:
        """Check a datagram; never raises, whatever the bytes."""
        raise NotImplementedError
