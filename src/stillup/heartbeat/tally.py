"""Counting: who has answered what to one ballot."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stillup.heartbeat.ballot import Ballot
from stillup.heartbeat.quorum import Electorate


@dataclass(slots=True)
class Ask:
    """One attempt to get or renew the lease.

    Args:
        start_s: The clock right before the first ``Propose`` of this attempt was sent.
        votes: Who accepted this very attempt.
    """

    start_s: float
    votes: set[str] = field(default_factory=set)


class Tally:
    """The answers to one ballot.

    Each attempt has votes of its own: a vote for an earlier attempt says nothing about a
    later one, whose lease would begin later than the voter's.

    Args:
        ballot: The ballot.
        electorate: Whose votes count.
    """

    def __init__(self, ballot: Ballot, electorate: Electorate) -> None:
        self.ballot = ballot
        self.electorate = electorate
        self.promised: set[str] = set()
        self.outbid: set[str] = set()
        self.free_at_s: dict[str, float] = {}
        self.attempt = 0
        self.asks: dict[int, Ask] = {}

    def is_promised(self) -> bool:
        """Return whether enough voters have promised."""
        return self.electorate.is_enough(self.promised, self.ballot.name)

    def begin_attempt(self, now_s: float) -> int:
        """Open the next attempt, whose lease begins now, and return its number."""
        self.attempt += 1
        self.asks[self.attempt] = Ask(now_s)
        return self.attempt

    def vote(self, attempt: int, voter: str) -> Ask | None:
        """Count a vote; return the attempt once it has enough, None while it has not."""
        ask = self.asks.get(attempt)
        if ask is None:
            return None
        ask.votes.add(voter)
        self.free_at_s.pop(voter, None)
        return ask if self.electorate.is_enough(ask.votes, self.ballot.name) else None

    def drop_before(self, attempt: int) -> None:
        """Forget attempts that a confirmed later one has made pointless."""
        for number in [number for number in self.asks if number < attempt]:
            del self.asks[number]

    def hopeless_without(self, refusers: Iterable[str]) -> bool:
        """Return whether the other voters together would not be enough."""
        others = set(self.electorate.asked).difference(refusers)
        return not self.electorate.is_enough(others, self.ballot.name)

    def free_s(self) -> float | None:
        """Return when enough votes will be free, by what the voters said; None if unknown."""
        votes = set(self.promised)
        for voter, free_s in sorted(self.free_at_s.items(), key=lambda item: item[1]):
            votes.add(voter)
            if self.electorate.is_enough(votes, self.ballot.name):
                return free_s
        return None
