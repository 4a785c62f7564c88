"""Whatever arrives is refused or read, never a crash, and leaves nothing behind.

``DATAGRAMS=1000000 python -m pytest tests/fuzz/test_seal.py`` tries a million; ``FUZZ=7`` with
another luck. The figures of a run are shown with ``-rA``.
"""

import gc
import os
import resource
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.datagrams import INSIDERS, STRANGERS

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.messages import (
    Accepted,
    Hello,
    Message,
    Prepare,
    Promised,
    Propose,
    Refusal,
    Refused,
    Release,
)
from stillup.heartbeat.seal import NotOpened, Opened, Rejected, Seal

VIP = "10.0.0.1"
KEY = b"a key that the fuzzer has too..."
BALLOT = Ballot(17, 1 << 40, "lb1")
MESSAGES: tuple[Message, ...] = (
    Prepare(BALLOT, Ballot(16, 2, "lb2")),
    Prepare(BALLOT),
    Promised(BALLOT),
    Propose(BALLOT, 4),
    Accepted(BALLOT, 4),
    Refused(BALLOT, 4, Refusal.HELD, BALLOT, 0.3, "lb2"),
    Release(BALLOT, "lb2"),
    Hello(fit=True),
)
GROWTH_BYTES = 64 * 1024
MET = frozenset(Rejected) - {Rejected.INTRODUCTION}


def how_many() -> int:
    return int(os.environ.get("DATAGRAMS", "30000"))


def seal(name: str, peer: str, life: int) -> Seal:
    return Seal(name, frozenset({peer}), life, b"farm-one", {1: KEY})


def pair() -> tuple[Seal, Seal]:
    """Return two servers that know each other."""
    lb1, lb2 = seal("lb1", "lb2", 111 << 50), seal("lb2", "lb1", 222 << 50)
    for one, other, name in ((lb1, lb2, "lb2"), (lb2, lb1, "lb1")):
        told = other.open(one.close(name, Hello(fit=True), VIP))
        assert isinstance(told, NotOpened)
        assert told.answer is not None
        one.open(told.answer)
    return lb1, lb2


def hostile(luck: Random, count: int, sender: Seal, receiver: Seal) -> Iterator[bytes]:
    """Yield datagrams for the receiver that are not what its peer sent."""
    makers = STRANGERS + INSIDERS
    for number in range(count):
        true = sender.close("lb2", MESSAGES[number % len(MESSAGES)], VIP)
        if number % 50 == 0:
            yield receiver.close("lb1", Hello(fit=True), VIP)  # its own, thrown back
        yield luck.choice(makers)(luck, true, KEY)


def meet(data: bytes, sender: Seal, receiver: Seal, ends: Counter[str]) -> None:
    """Let a datagram arrive, and the answer to it, as the daemons do."""
    told = receiver.open(data)
    ends["believed" if isinstance(told, Opened) else told.reason.value] += 1
    if isinstance(told, NotOpened) and told.answer is not None:
        sender.open(told.answer)


def weighed() -> tuple[int, int]:
    """Return the bytes that Python holds, and the KiB of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return tracemalloc.get_traced_memory()[0], pages * resource.getpagesize() // 1024


def test_nothing_crashes_the_receiver_and_nothing_stays() -> None:
    luck, count = Random(os.environ.get("FUZZ", "1")), how_many()
    lb1, lb2 = pair()
    ends: Counter[str] = Counter()
    tracemalloc.start()
    began_s = time.process_time()
    # The first tenth is for what is made once, caches and the like.
    for data in hostile(luck, count // 10, lb1, lb2):
        meet(data, lb1, lb2, ends)
    held, resident = weighed()

    for data in hostile(luck, count - count // 10, lb1, lb2):
        meet(data, lb1, lb2, ends)

    spent_s = time.process_time() - began_s
    held_after, resident_after = weighed()
    tracemalloc.stop()
    figures = f"{held_after - held} bytes more held, {resident_after - resident} KiB more resident"
    print(f"\n{sum(ends.values())} datagrams, {spent_s:.1f} s of CPU, {figures}")  # noqa: T201
    print(dict(ends.most_common()))  # noqa: T201 - the figures of the run
    assert held_after - held < GROWTH_BYTES
    # Each of them was met, or the fuzzer is too tame.
    assert {reason.value for reason in MET} | {"believed"} <= set(ends)
    # Whoever has the key can speak in lb1's name until that starts anew, and no longer.
    again = seal("lb1", "lb2", 333 << 50)
    meet(again.close("lb2", Hello(fit=True), VIP), again, lb2, ends)
    assert lb2.open(again.close("lb2", Hello(fit=True), VIP)) == Opened("lb1", Hello(fit=True), VIP)


@pytest.mark.parametrize("maker", STRANGERS, ids=lambda maker: maker.__name__)
def test_a_stranger_is_never_believed(maker: object) -> None:
    luck = Random(os.environ.get("FUZZ", "2"))
    lb1, lb2 = pair()
    assert callable(maker)
    for number in range(how_many() // 20):
        true = lb1.close("lb2", MESSAGES[number % len(MESSAGES)], VIP)
        told = lb2.open(maker(luck, true, KEY))
        assert isinstance(told, NotOpened)
        assert told.sender is None
        assert told.answer is None
    assert isinstance(lb2.open(lb1.close("lb2", MESSAGES[0], VIP)), Opened)


def test_every_recording_is_worth_nothing_a_second_time() -> None:
    luck = Random(os.environ.get("FUZZ", "3"))
    lb1, lb2 = pair()
    recorded: list[bytes] = []
    for number in range(how_many() // 3):
        true = lb1.close("lb2", MESSAGES[number % len(MESSAGES)], VIP)
        assert isinstance(lb2.open(true), Opened)
        recorded.append(true)
        again = lb2.open(recorded[luck.randrange(len(recorded))])
        assert again == NotOpened(Rejected.REPLAYED, "lb1")


def test_what_is_thrown_back_is_refused() -> None:
    lb1, lb2 = pair()
    for number in range(how_many() // 3):
        true = lb1.close("lb2", MESSAGES[number % len(MESSAGES)], VIP)
        assert lb1.open(true) == NotOpened(Rejected.OWN_ECHO, "lb1")
    assert isinstance(lb2.open(lb1.close("lb2", MESSAGES[0], VIP)), Opened)
