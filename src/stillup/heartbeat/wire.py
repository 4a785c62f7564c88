"""How the messages look as bytes; pure, exact, bounded.

All numbers are big-endian. A name is its length in one byte and as many bytes of UTF-8, a
ballot is round (8), incarnation (8) and name, an optional ballot is preceded by one byte,
0 or 1, and durations are whole microseconds, rounded down, in four bytes. A message is one
byte of kind and the fields of its class in their order:

| kind | message      | fields                                                        |
|------|--------------|---------------------------------------------------------------|
| 0    | Introduction | word (8); see ``seal.py``                                     |
| 1    | Prepare      | ballot, released (optional ballot), taken_over (optional ballot) |
| 2    | Promised     | ballot                                                          |
| 3    | Propose      | ballot, attempt (8), taken_over (optional ballot)               |
| 4    | Accepted     | ballot, attempt (8)                                             |
| 5    | Refused      | ballot, attempt (8), reason (1), newest (optional), left, holder (empty for none) |
| 6    | Release      | ballot, to (empty for nobody)                                   |
| 7    | Hello        | fit (1), draining (1)                                           |
| 8    | Offer        | ballot, number (8), life (8), left                              |
| 9    | Ready        | ballot, number (8), life (8), armed (1)                         |
| 10   | Handed       | ballot, number (8), life (8), left, stay (1)                    |
"""

from collections.abc import Callable
from dataclasses import dataclass

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import (
    Accepted,
    Handed,
    Hello,
    Message,
    Offer,
    Prepare,
    Promised,
    Propose,
    Ready,
    Refusal,
    Refused,
    Release,
)

NAME_BYTES = 63
"""The longest server name, as in a host name's label (RFC 1035 section 2.3.4)."""

ROUNDS = 1 << 62
"""Above every round; leaves room to count on from any round that is read."""

LONGEST_S = 4294.0
"""The longest duration that is said; longer ones are said as this."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """Not for the node: the word that datagrams to the sender shall say from now on."""

    word: int


class Malformed(ValueError):
    """These bytes are no message."""


def name_bytes(name: str) -> bytes:
    """Return a name as it is written.

    Raises:
        ValueError: If it is longer than 63 bytes.
    """
    data = name.encode()
    if len(data) > NAME_BYTES:
        raise ValueError(f"the name {name} is longer than {NAME_BYTES} bytes")
    return bytes((len(data),)) + data


def encode(message: Message | Introduction) -> bytes:
    """Return a message as bytes; at most 250 of them."""
    match message:
        case Introduction(word):
            return b"\x00" + word.to_bytes(8, "big")
        case Prepare(ballot, released, taken_over):
            return b"\x01" + _ballot(ballot) + _optional(released) + _optional(taken_over)
        case Promised(ballot):
            return b"\x02" + _ballot(ballot)
        case Propose(ballot, attempt, taken_over):
            return b"\x03" + _ballot(ballot) + _number(attempt) + _optional(taken_over)
        case Accepted(ballot, attempt):
            return b"\x04" + _ballot(ballot) + _number(attempt)
        case Refused():
            return b"\x05" + _refused(message)
        case Release(ballot, to):
            return b"\x06" + _ballot(ballot) + name_bytes(to or "")
        case Hello(fit, draining):
            return b"\x07" + bytes((fit, draining))
        case Offer() | Ready() | Handed():
            return _handover(message)


def decode(data: bytes) -> Message | Introduction:
    """Return the message that these bytes are.

    Raises:
        Malformed: If they are none, or there are bytes left over.
    """
    reader = Reader(data)
    read = _READERS.get(reader.number(1))
    if read is None:
        raise Malformed("unknown kind of message")
    message = read(reader)
    reader.end()
    return message


class Reader:
    """Takes bytes apart from the front.

    Args:
        data: The bytes.

    Raises:
        Malformed: From every method, when the bytes are too short or say what cannot be.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next so many bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise Malformed("too short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """Return the next so many bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def name(self) -> str:
        """Return the next name; it may be empty."""
        size = self.number(1)
        if size > NAME_BYTES:
            raise Malformed("a name is too long")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise Malformed("a name is not UTF-8") from error

    def flag(self) -> bool:
        """Return the next byte as yes or no."""
        number = self.number(1)
        if number > 1:
            raise Malformed("neither yes nor no")
        return number == 1

    def ballot(self) -> Ballot:
        """Return the next ballot."""
        ballot = Ballot(self.number(8), self.number(8), self.name())
        if ballot.round >= ROUNDS:
            raise Malformed("a round that nobody lives to see")
        return ballot

    def left_s(self) -> float:
        """Return the next duration, in seconds."""
        return self.number(4) / 1e6

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._at != len(self._data):
            raise Malformed("too long")


def _ballot(ballot: Ballot) -> bytes:
    head = ballot.round.to_bytes(8, "big") + ballot.incarnation.to_bytes(8, "big")
    return head + name_bytes(ballot.name)


def _optional(ballot: Ballot | None) -> bytes:
    return b"\x00" if ballot is None else b"\x01" + _ballot(ballot)


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _left(left_s: float) -> bytes:
    return int(min(max(left_s, 0.0), LONGEST_S) * 1e6).to_bytes(4, "big")


def _handover(message: Offer | Ready | Handed) -> bytes:
    head = _ballot(message.ballot) + _number(message.number) + _number(message.life)
    match message:
        case Offer():
            return b"\x08" + head + _left(message.left_s)
        case Ready():
            return b"\x09" + head + bytes((message.armed,))
        case Handed():
            return b"\x0a" + head + _left(message.left_s) + bytes((message.stay,))


def _refused(refused: Refused) -> bytes:
    return b"".join(
        (
            _ballot(refused.ballot),
            _number(refused.attempt),
            bytes((refused.reason.value,)),
            _optional(refused.newest),
            _left(refused.left_s),
            name_bytes(refused.holder or ""),
        )
    )


def _read_optional(reader: Reader) -> Ballot | None:
    return reader.ballot() if reader.flag() else None


def _read_refused(reader: Reader) -> Refused:
    ballot, attempt, reason = reader.ballot(), reader.number(8), reader.number(1)
    if reason not in _REFUSALS:
        raise Malformed("unknown reason")
    newest = _read_optional(reader)
    left_s = reader.left_s()
    return Refused(ballot, attempt, Refusal(reason), newest, left_s, reader.name() or None)


def _read_prepare(reader: Reader) -> Prepare:
    return Prepare(reader.ballot(), _read_optional(reader), _read_optional(reader))


def _read_offer(reader: Reader) -> Offer:
    return Offer(reader.ballot(), reader.number(8), reader.number(8), reader.left_s())


def _read_ready(reader: Reader) -> Ready:
    return Ready(reader.ballot(), reader.number(8), reader.number(8), reader.flag())


def _read_handed(reader: Reader) -> Handed:
    ballot, number, life = reader.ballot(), reader.number(8), reader.number(8)
    return Handed(ballot, number, life, reader.left_s(), reader.flag())


_REFUSALS = frozenset(refusal.value for refusal in Refusal)

_READERS: dict[int, Callable[[Reader], Message | Introduction]] = {
    0: lambda reader: Introduction(reader.number(8)),
    1: _read_prepare,
    2: lambda reader: Promised(reader.ballot()),
    3: lambda reader: Propose(reader.ballot(), reader.number(8), _read_optional(reader)),
    4: lambda reader: Accepted(reader.ballot(), reader.number(8)),
    5: _read_refused,
    6: lambda reader: Release(reader.ballot(), reader.name() or None),
    7: lambda reader: Hello(reader.flag(), reader.flag()),
    8: _read_offer,
    9: _read_ready,
    10: _read_handed,
}
