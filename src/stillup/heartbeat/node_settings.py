"""What a node is told: a value."""

from dataclasses import dataclass

from stillup.heartbeat.quorum import Electorate


@dataclass(frozen=True)
class Settings:
    """What a node is told at its start and never after.

    Args:
        name: This server.
        electorate: Voters, candidates, lease.
        preferred: The candidate that wins the first election if it is there; None for none.
        silence_s: How long this server's voter stays silent after its start: the longest
            lease that it may have promised in an earlier life. None means the lease itself,
            which is right unless the lease was longer before.
        failback: Whether the address moves back to the preferred candidate, by a hand-over,
            once that one has been fit for twenty leases.
    """

    name: str
    electorate: Electorate
    preferred: str | None = None
    silence_s: float | None = None
    failback: bool = True
