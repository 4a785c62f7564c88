"""Ballot numbers: which of two candidates asked later, told apart without a disk.

A ballot is unique for ever: two candidates differ by name, two lives of one daemon by
incarnation (64 random bits drawn at its start), and within one life the round only
grows. So nothing need be stored to keep a restarted daemon from using a number again.
"""

from typing import NamedTuple


class Ballot(NamedTuple):
    """A candidate's attempt to get the lease; the greater one is the later one.

    Compares by round, then incarnation, then name: a candidate that was outbid takes the
    next round above the one that outbid it.

    Args:
        round: Counts up from 1 within one life of a candidate.
        incarnation: Which life of the daemon, 0..2^64-1, drawn at random at its start.
        name: The candidate's server name in the farm file.
    """

    round: int
    incarnation: int
    name: str

    @property
    def owner(self) -> "Owner":
        """Return whose ballot this is: one life of one candidate."""
        return Owner(self.name, self.incarnation)

    def __str__(self) -> str:
        """Return the short form for people and logs, as in ``17.lb2``."""
        return f"{self.round}.{self.name}"


class Owner(NamedTuple):
    """One life of one candidate.

    A restarted daemon is another owner: what was granted to its former life runs out by
    itself, as it would for a stranger. That costs nothing, since its own voter is silent
    for as long, and it also tells two clones of one machine apart.
    """

    name: str
    incarnation: int


def next_ballot(owner: Owner, *seen: Ballot | None) -> Ballot:
    """Return a ballot of ``owner`` that is greater than every ballot in ``seen``."""
    newest = max((ballot.round for ballot in seen if ballot is not None), default=0)
    return Ballot(newest + 1, owner.incarnation, owner.name)
