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
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

FINGERPRINT_BYTES = 8


@dataclass(frozen=True)
class Electorate:
    """The voters and the candidates of one farm, and the lease they agreed on.

    Args:
        voters: Names of all servers, each at most once.
        candidates: Names of the balancers, in order of rank; all of them are voters.
        lease_s: How long a vote lasts, in seconds.

    Raises:
        ValueError: If there is no candidate, a name comes twice, a candidate is no voter,
            or the lease is not above zero.
    """

    voters: tuple[str, ...]
    candidates: tuple[str, ...]
    lease_s: float

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

    def is_enough(self, votes: Collection[str], asker: str) -> bool:
        """Return whether these votes give ``asker`` the lease.

        Args:
            votes: Names; those of strangers do not count, doubled ones count once.
            asker: The candidate who asked for them.
        """
        counted = set(votes).intersection(self.voters)
        if asker not in counted or asker not in self.candidates:
            return False
        return 2 * len(counted) > len(self.voters) or counted.issuperset(self.candidates)

    def fingerprint(self) -> bytes:
        """Return eight bytes that differ when voters, candidates or the lease differ.

        Servers with different fingerprints do not count each other's votes: the quorums
        of two different electorates need not share a voter.
        """
        text = "\n".join(
            [*sorted(self.voters), "", *sorted(self.candidates), "", f"{self.lease_s:.6f}"]
        )
        return hashlib.sha256(text.encode()).digest()[:FINGERPRINT_BYTES]
