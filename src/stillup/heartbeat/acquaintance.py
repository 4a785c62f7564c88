"""Telling a fresh datagram from one that was recorded and sent again, without a disk.

A receiver gives each of its peers a *word*, a number it has never given before in any of its
lives, and believes only datagrams that say it. A word belongs to the life of the peer that
says it first. Whoever says none, an old one or another's is not believed, but told the next
word in an *introduction*; a peer that is alive says it next time, a recording cannot. Within
one word datagrams are numbered, and each number is believed once.

So nothing recorded in a former life of the receiver is believed, as its words were others;
nothing recorded in a former life of the sender is, as the word is its successor's; and
nothing is believed twice. If a recording is believed after all (it says the word on offer,
because it never arrived the first time), it is one datagram once, and the living peer has the
word back after one round trip.
"""

WINDOW = 1024
"""How far the network may put datagrams out of order, counted in datagrams."""

_WORDS = 1 << 64


class Window:
    """Which sequence numbers have been seen; what is far below the newest counts as seen."""

    def __init__(self) -> None:
        self._newest = 0
        self._seen = 0

    def is_fresh(self, sequence: int) -> bool:
        """Return whether this number is new, and remember it."""
        ahead = sequence - self._newest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self._newest = sequence
            return True
        if -ahead >= WINDOW or self._seen >> -ahead & 1:
            return False
        self._seen |= 1 << -ahead
        return True


class Acquaintance:
    """What is known of one peer.

    Args:
        incarnation: Of this server; its words count up from here, so that with 64 random
            bits no other life of it gives the same.
    """

    def __init__(self, incarnation: int) -> None:
        self.say = 0
        """The word this peer wants to hear from us; 0 while it has told none."""

        self.offered = incarnation or 1
        """The word to introduce ourselves with."""

        self._word: int | None = None
        self._life: int | None = None
        self._window = Window()

    def is_known(self, life: int, word: int) -> bool:
        """Return whether a datagram of this life of the peer says the right word.

        The word on offer becomes this life's, and the next one is on offer.
        """
        if word == self.offered:
            self._word, self._life = word, life
            self._window = Window()
            self.offered = (word + 1) % _WORDS or 1
        return word == self._word and life == self._life

    def is_fresh(self, sequence: int) -> bool:
        """Return whether a known datagram is new, and remember it."""
        return self._window.is_fresh(sequence)
