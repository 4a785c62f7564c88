"""Signed envelopes: who sent a datagram, to whom, fresh, and for this farm.

| bytes | what                                                                    |
|-------|-------------------------------------------------------------------------|
| 2     | ``SU``                                                                  |
| 1     | version of the format: 2                                                |
| 1     | key id                                                                  |
| 8     | configuration: the electorate's fingerprint                             |
| 8     | the fingerprint of the one it follows; 0 for none (``membership.py``)   |
| 8     | the sender's incarnation                                                |
| 8     | the word the receiver wants to hear; 0 if the sender was told none      |
| 8     | sequence, from 1 up within the sender's life                            |
| 1+n   | the sender's name                                                       |
| 1+n   | the receiver's name                                                     |
| 1+n   | the subject: the virtual IP it is about; empty for none                 |
| n     | the message (``wire.py``)                                               |
| 32    | HMAC-SHA256 (RFC 2104) of all that precedes it                          |

What is refused, and by what: a datagram altered or made by a stranger, by the signature; one
meant for another server or farm, by the names and the configuration under the signature; our
own sent back to us, by the sender's name; one recorded and sent again, by word and sequence
(``acquaintance.py``). Each virtual IP has votes of its own, and a vote is about the one that the
signed subject names; words and sequences are the server's, whatever it talks about.

A datagram without the right word is not acted on but answered with an *introduction*, which
tells the word. In place of a word it names the life of the sender that it answers, so it is
worth nothing to another life; and it is never answered, so two servers cannot keep each other
busy. A restarted server loses one datagram in each direction to that, at a time at which its
voter is silent anyway.
"""

import enum
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from stillup.heartbeat.acquaintance import Acquaintance
from stillup.heartbeat.membership import NOBODY, is_kin
from stillup.heartbeat.messages import Message
from stillup.heartbeat.wire import Introduction, Malformed, Reader, decode, encode, name_bytes

MAGIC = b"SU"
VERSION = 2
SIGNATURE_BYTES = 32
LONGEST_BYTES = 512
KEY_BYTES = 16
"""The shortest key that is taken."""


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
    UNACQUAINTED = "unacquainted"
    """It says no word, an old one or another life's; common right after a restart."""
    REPLAYED = "replayed"
    INTRODUCTION = "introduction"
    """No fault: a peer told its word, and there is nothing to act on."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A datagram that is believed."""

    sender: str
    message: Message
    subject: str = ""
    """The virtual IP that it is about."""


@dataclass(frozen=True, slots=True)
class NotOpened:
    """A datagram that is not believed, or has nothing to act on.

    Args:
        reason: Why.
        sender: Who signed it; None before the signature was proven.
        answer: A datagram to send back to ``sender``, if there is one: the introduction that
            lets an honest sender who did not know of our restart be believed next time.
    """

    reason: Rejected
    sender: str | None = None
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class SealMemory:
    """What a seal must not forget when its process is replaced.

    Args:
        incarnation: The life that goes on.
        sequence: The last number it gave to a datagram.
        peers: What is known of each peer.
    """

    incarnation: int
    sequence: int
    peers: dict[str, Acquaintance]


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The signed fields round a message."""

    configuration: bytes
    predecessor: bytes
    from_life: int
    word: int
    sequence: int
    sender: str
    to: str
    subject: str
    body: bytes


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
        predecessor: The fingerprint of the electorate that this one follows, whose servers
            are believed too while the farm changes; ``NOBODY`` for none.

    Raises:
        ValueError: If there is no key, or one is too short or has an id out of range, or a
            name is longer than 63 bytes.
    """

    def __init__(
        self,
        name: str,
        peers: frozenset[str],
        incarnation: int,
        configuration: bytes,
        keys: Mapping[int, bytes],
        predecessor: bytes = NOBODY,
    ) -> None:
        if not keys:
            raise ValueError("there is no heartbeat key")
        for key_id, key in keys.items():
            if not 0 <= key_id <= 255 or len(key) < KEY_BYTES:
                raise ValueError(
                    f"heartbeat key {key_id}: an id is 0 to 255, a key at least {KEY_BYTES} bytes"
                )
        self._name = name
        self._configuration = configuration
        self._predecessor = predecessor
        self._incarnation = incarnation
        self._keys = dict(keys)
        self._key_id = next(iter(keys))
        self._sequence = 0
        self._peers = {peer: Acquaintance(incarnation) for peer in peers}
        self._names = {peer: name_bytes(name) + name_bytes(peer) for peer in peers}
        self._head = self._heading()

    @property
    def memory(self) -> SealMemory:
        """What a successor must know."""
        return SealMemory(self._incarnation, self._sequence, self._peers)

    def remember(self, memory: SealMemory) -> None:
        """Go on with the life of a predecessor.

        Peers that it did not know keep the words of this seal's own incarnation: should it have
        known them once, they were given others then.
        """
        self._incarnation, self._sequence = memory.incarnation, memory.sequence
        self._peers |= {name: known for name, known in memory.peers.items() if name in self._peers}
        self._head = self._heading()

    def _heading(self) -> bytes:
        head = MAGIC + bytes((VERSION, self._key_id)) + self._configuration + self._predecessor
        return head + self._incarnation.to_bytes(8, "big")

    def close(self, to: str, message: Message, subject: str = "") -> bytes:
        """Return the datagram that says ``message`` to the server ``to``; at most 512 bytes.

        Args:
            to: The receiver.
            message: What to say.
            subject: The virtual IP that it is about.
        """
        return self._sign(to, self._peers[to].say, message, subject)

    def open(self, data: bytes) -> Opened | NotOpened:
        """Check a datagram; never raises, whatever the bytes."""
        refused = self._prove(data)
        if refused is not None:
            return NotOpened(refused)
        try:
            envelope = _read(data)
            message = decode(envelope.body)
        except Malformed:
            return NotOpened(Rejected.MALFORMED)
        refused = self._check_names(envelope)
        if refused is not None:
            return NotOpened(refused, envelope.sender)
        return self._check_fresh(envelope, message)

    def _sign(
        self, to: str, word: int, message: Message | Introduction, subject: str = ""
    ) -> bytes:
        self._sequence += 1
        data = b"".join(
            (
                self._head,
                word.to_bytes(8, "big"),
                self._sequence.to_bytes(8, "big"),
                self._names[to],
                name_bytes(subject),
                encode(message),
            )
        )
        return data + hmac.digest(self._keys[self._key_id], data, "sha256")

    def _prove(self, data: bytes) -> Rejected | None:
        """Return what speaks against the signature; None if it is right."""
        if not 4 + SIGNATURE_BYTES <= len(data) <= LONGEST_BYTES or data[:2] != MAGIC:
            return Rejected.MALFORMED
        if data[2] != VERSION:
            return Rejected.OTHER_VERSION
        key = self._keys.get(data[3])
        if key is None:
            return Rejected.UNKNOWN_KEY
        signature = hmac.digest(key, data[:-SIGNATURE_BYTES], "sha256")
        if not hmac.compare_digest(signature, data[-SIGNATURE_BYTES:]):
            return Rejected.BAD_SIGNATURE
        return None

    def _check_names(self, envelope: _Envelope) -> Rejected | None:
        """Return what speaks against who sent it, to whom, in which farm; None if nothing."""
        if envelope.sender == self._name:
            return Rejected.OWN_ECHO
        if envelope.to != self._name:
            return Rejected.NOT_FOR_US
        if envelope.sender not in self._peers:
            return Rejected.STRANGER
        own, before_own = self._configuration, self._predecessor
        if not is_kin(own, before_own, envelope.configuration, envelope.predecessor):
            return Rejected.OTHER_CONFIGURATION
        return None

    def _check_fresh(
        self, envelope: _Envelope, message: Message | Introduction
    ) -> Opened | NotOpened:
        sender, peer = envelope.sender, self._peers[envelope.sender]
        if isinstance(message, Introduction):
            if envelope.word != self._incarnation:
                return NotOpened(Rejected.UNACQUAINTED, sender)
            peer.say = message.word
            return NotOpened(Rejected.INTRODUCTION, sender)
        if not peer.is_known(envelope.from_life, envelope.word):
            introduction = self._sign(sender, envelope.from_life, Introduction(peer.offered))
            return NotOpened(Rejected.UNACQUAINTED, sender, introduction)
        if not peer.is_fresh(envelope.sequence):
            return NotOpened(Rejected.REPLAYED, sender)
        return Opened(sender, message, envelope.subject)


def _read(data: bytes) -> _Envelope:
    reader = Reader(data[4:-SIGNATURE_BYTES])
    return _Envelope(
        configuration=reader.take(8),
        predecessor=reader.take(8),
        from_life=reader.number(8),
        word=reader.number(8),
        sequence=reader.number(8),
        sender=reader.name(),
        to=reader.name(),
        subject=reader.name(),
        body=reader.rest(),
    )
