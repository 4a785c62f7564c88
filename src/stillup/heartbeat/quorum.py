"""Who votes, who stands, and which votes are enough.

Enough is a majority of the voters, *or* every candidate; in both cases the asking
candidate's own vote must be among them.

Any two sets that are enough share a voter:

* two majorities do, as each is more than half of the voters;
* "every candidate" and "every candidate" are the same set;
* a majority and "every candidate" do, because the majority contains the candidate that
  asked (its own vote is required), and "every candidate" contains that candidate too.

Without the own vote the third line is false: three web servers are a majority of five
voters and share nobody with two balancers.

**Changing who votes.** Two electorates need not have a voter in common, so between an old one
and a new one stands a *joint* one: the new one with the old one in ``left``. Under it only what
is enough on both sides is enough; it shares a voter with whatever is enough on either. How a
farm goes from one to the next stands in ``membership.py``.

**A witness** is for two voters that are both candidates: an address that both can ping. The own
vote and its answer are enough there. What that is worth, and what not: ``witness.py``.

**The dead**: a person may say of servers that they are dead (``force.py``). Then they do not
count: enough is a majority of the others, or every other candidate. That is as sound as what the
person says, as it is the rule above for the farm without them.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

FINGERPRINT_BYTES = 8


@dataclass(frozen=True)
class Electorate:
    """The voters and the candidates of one farm, and the lease they agreed on.

    Args:
        voters: Names of all servers, each at most once.
        candidates: Names of the balancers, in order of rank; all of them are voters.
        lease_s: How long a vote lasts, in seconds.
        witness: The address that is pinged where there are two voters; None for none.
        left: The electorate that the farm is leaving for this one, while it is; else None.
        dead: Voters that a person has declared dead.

    Raises:
        ValueError: If there is no candidate, a name comes twice, a candidate is no voter,
            the lease is not above zero, there is a witness and not two candidates alone, or
            nobody is a candidate on both sides.
    """

    voters: tuple[str, ...]
    candidates: tuple[str, ...]
    lease_s: float
    witness: str | None = None
    left: "Electorate | None" = None
    dead: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse an electorate whose quorums would not be sound."""
        if not self.candidates:
            raise ValueError("an electorate needs at least one candidate")
        for names in (self.voters, self.candidates):
            if len(set(names)) != len(names):
                raise ValueError(f"a name comes twice in {', '.join(names)}")
        strangers = set(self.candidates) - set(self.voters)
        if strangers:
            raise ValueError(f"candidates that are no voters: {', '.join(sorted(strangers))}")
        if self.lease_s <= 0:
            raise ValueError(f"a lease lasts longer than {self.lease_s} seconds")
        if self.witness is not None and not len(self.voters) == len(self.candidates) == 2:
            raise ValueError("a witness is for two voters that are both candidates")
        if not self.eligible:
            raise ValueError("nobody is a candidate before and after the change")

    @cached_property
    def servers(self) -> tuple[str, ...]:
        """Everybody who has a vote, on either side."""
        return _union(self.voters, self.left.voters if self.left else ())

    @cached_property
    def askers(self) -> tuple[str, ...]:
        """Everybody whose asking is answered: the candidates of either side, by rank."""
        return _union(self.candidates, self.left.candidates if self.left else ())

    @cached_property
    def eligible(self) -> tuple[str, ...]:
        """Who may stand and hold: the candidates of both sides, by rank."""
        both = self.candidates if self.left is None else self.left.candidates
        return tuple(name for name in self.candidates if name in both)

    @cached_property
    def witnesses(self) -> dict[str, tuple[str, ...]]:
        """The voters that each witness is for, by the name under which it is counted."""
        own = {witness_vote(self.witness): self.voters} if self.witness else {}
        return {**(self.left.witnesses if self.left else {}), **own}

    @cached_property
    def witness_addresses(self) -> dict[str, str]:
        """Each witness's address, by the name under which it is counted."""
        own = {witness_vote(self.witness): self.witness} if self.witness else {}
        return {**(self.left.witness_addresses if self.left else {}), **own}

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Everybody who is asked: the servers, and the witnesses."""
        return (*self.servers, *self.witnesses)

    @cached_property
    def shortest_s(self) -> float:
        """How long a holder may count on a vote: the shortest lease that may be lent."""
        return min(self.lease_s, self.left.lease_s) if self.left else self.lease_s

    @cached_property
    def longest_s(self) -> float:
        """How long a vote is lent: the longest lease that anybody may count on."""
        return max(self.lease_s, self.left.lease_s) if self.left else self.lease_s

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        """Return whether these votes give ``asker`` the lease.

        Args:
            votes: Names; those of strangers do not count, doubled ones count once.
            asker: The candidate who asked for them.
        """
        if not self._is_enough_here(votes, asker):
            return False
        return self.left is None or self.left.is_enough(votes, asker)

    def without(self, dead: Iterable[str]) -> "Electorate":
        """Return what this electorate is when exactly these servers are dead."""
        gone = frozenset(dead)
        return replace(self, dead=gone, left=self.left.without(gone) if self.left else None)

    def fingerprint(self) -> bytes:
        """Return eight bytes that differ when what is enough, or the lease, differs.

        Servers count the votes of those alone that have the same fingerprint, or the one right
        before or after it in a change (``membership.py``).
        """
        lines = [*sorted(self.voters), "", *sorted(self.candidates), "", f"{self.lease_s:.6f}"]
        if self.witness is not None:
            lines += ["witness", self.witness]
        if self.left is not None:
            lines += ["left", self.left.fingerprint().hex()]
        return hashlib.sha256("\n".join(lines).encode()).digest()[:FINGERPRINT_BYTES]

    def _is_enough_here(self, votes: Collection[str], asker: str) -> bool:
        counted = set(votes).intersection(self.voters).difference(self.dead)
        if asker not in counted or asker not in self.candidates:
            return False
        if self.witness is not None and witness_vote(self.witness) in votes:
            return True
        living = len(self.voters) - len(self.dead.intersection(self.voters))
        return 2 * len(counted) > living or counted.issuperset(
            name for name in self.candidates if name not in self.dead
        )


def witness_vote(address: str) -> str:
    """Return the name under which a witness is counted; no server has such a name."""
    return f"witness {address}"


def _union(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *more)))
