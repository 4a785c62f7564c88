"""Datagrams that nobody should believe, made from true ones by chance.

Each maker takes the luck, a true datagram and the key, and returns bytes that are not what a
peer sent: from a stranger who has no key (noise, flipped, cut, spliced), or, signed anew, from
somebody who has it and whose program is wrong. The latter reach the readers behind the
signature, which the former never do.
"""

import hmac
from collections.abc import Callable
from random import Random
from typing import TypeAlias

from stillup.heartbeat.seal import SIGNATURE_BYTES

Maker: TypeAlias = Callable[[Random, bytes, bytes], bytes]

LONGEST_BYTES = 1500


def noise(luck: Random, _true: bytes, _key: bytes) -> bytes:
    """Anything, of any length."""
    return luck.randbytes(luck.choice((0, 1, 4, 35, 36, 105, 512, 513, luck.randrange(1500))))


def noise_that_begins_right(luck: Random, true: bytes, _key: bytes) -> bytes:
    """Anything behind a true head."""
    return true[: luck.choice((2, 3, 4, 12, 28, 36))] + luck.randbytes(luck.randrange(500))


def flipped(luck: Random, true: bytes, _key: bytes) -> bytes:
    """A true datagram with one to eight bits turned over."""
    data = bytearray(true)
    for place in luck.sample(range(len(data) * 8), luck.randint(1, 8)):
        data[place // 8] ^= 1 << place % 8
    return bytes(data)


def cut(luck: Random, true: bytes, _key: bytes) -> bytes:
    """A true datagram that ends too soon."""
    return true[: luck.randrange(len(true))]


def lengthened(luck: Random, true: bytes, _key: bytes) -> bytes:
    """A true datagram with something behind it."""
    return true + luck.randbytes(luck.randint(1, 600))


def spliced(luck: Random, true: bytes, _key: bytes) -> bytes:
    """A true datagram with a piece taken out, or put in twice."""
    first, last = sorted(luck.sample(range(len(true)), 2))
    return true[:first] + luck.choice((b"", true[first:last] * 2)) + true[last:]


def signed_noise(luck: Random, true: bytes, key: bytes) -> bytes:
    """A head and noise, signed with the key."""
    return signed(true[: luck.randint(4, 36)] + luck.randbytes(luck.randrange(400)), key)


def signed_flipped(luck: Random, true: bytes, key: bytes) -> bytes:
    """A true datagram changed anywhere behind its key id, signed with the key."""
    body = bytearray(true[:-SIGNATURE_BYTES])
    for _ in range(luck.randint(1, 4)):
        body[luck.randrange(4, len(body))] = luck.choice((0, 1, 0x7F, 0x80, 0xFF))
    return signed(bytes(body), key)


def signed_cut(luck: Random, true: bytes, key: bytes) -> bytes:
    """A true datagram that ends too soon, signed with the key."""
    return signed(true[: luck.randrange(4, len(true) - SIGNATURE_BYTES)], key)


def signed_lengthened(luck: Random, true: bytes, key: bytes) -> bytes:
    """A true message with something behind it, signed with the key."""
    return signed(true[:-SIGNATURE_BYTES] + luck.randbytes(luck.randint(1, 300)), key)


def signed(body: bytes, key: bytes) -> bytes:
    """Return a body with its signature."""
    return body + hmac.digest(key, body, "sha256")


STRANGERS: tuple[Maker, ...] = (
    noise,
    noise_that_begins_right,
    flipped,
    cut,
    lengthened,
    spliced,
)
INSIDERS: tuple[Maker, ...] = (signed_noise, signed_flipped, signed_cut, signed_lengthened)
