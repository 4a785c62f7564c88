"""The protocol's durations, all derived from the lease."""

from dataclasses import dataclass

CLOCK_MARGIN = 0.02
"""The share of a lease that its holder does not use.

Each clock may run up to 1 % faster or slower than true time. The holder's 0.98 leases on the
slowest clock (0.98 / 0.99 = 0.98990 true) end before a voter's full lease on the fastest one
(1 / 1.01 = 0.99010 true), so two clocks may even be 2 % apart.
"""

RENEWALS_PER_LEASE = 4
"""One is lost with its repetitions, and two more fit in. Each costs a datagram to each voter and an
answer: they are most of what the daemon costs at rest."""


@dataclass(frozen=True)
class Timing:
    """Durations in seconds for one lease.

    Args:
        lease_s: How long a voter gives its vote for.
        longest_s: The longest lease that anybody may hold while two of different length are in
            use (``membership.py``); 0 when there is but one.
    """

    lease_s: float
    longest_s: float = 0.0

    @property
    def hold_s(self) -> float:
        """How long the holder trusts a lease, from when it began to ask."""
        return self.trusted_s(self.lease_s)

    def trusted_s(self, left_s: float) -> float:
        """Return how much of a duration on another's clock may be trusted on one's own."""
        return left_s * (1 - CLOCK_MARGIN)

    @property
    def forgotten_s(self) -> float:
        """After how long, on one's own clock, a vote lent now has run out on every clock."""
        return max(self.lease_s, self.longest_s) * (1 + 2 * CLOCK_MARGIN)

    @property
    def renew_s(self) -> float:
        """From one renewal to the next."""
        return self.lease_s / RENEWALS_PER_LEASE

    @property
    def longest_wait_s(self) -> float:
        """The longest wait between two tries."""
        return self.lease_s / 5

    @property
    def retry_s(self) -> float:
        """The first wait for an answer before it is asked for again."""
        return min(max(self.lease_s / 50, 0.003), 0.02)

    @property
    def settle_s(self) -> float:
        """How long after a vote should be free it is asked for: clocks and wires differ."""
        return 0.001

    @property
    def hello_s(self) -> float:
        """From one ``Hello`` to the next."""
        return self.lease_s / 2

    @property
    def fresh_s(self) -> float:
        """How long after it was last heard a candidate counts as there."""
        return self.lease_s * 1.25

    @property
    def quiet_s(self) -> float:
        """How long nothing is heard of a server before it may count as dead.

        Twice as long as it may still hold, so that in this time it must have asked for votes, and
        more than once.
        """
        return max(self.lease_s, self.longest_s) * 2

    @property
    def patience_s(self) -> float:
        """How long nobody holds before a candidate that is not fit stands all the same."""
        return self.lease_s * 2

    @property
    def doubt_s(self) -> float:
        """How long a candidate that did not take what it was handed is not handed it again."""
        return self.lease_s * 20

    @property
    def offer_s(self) -> float:
        """How long a holder waits for the one it offers the address to, both answers together."""
        return max(self.retry_s * 5, 0.05)

    @property
    def settled_s(self) -> float:
        """How long the preferred candidate has been fit before the address moves back to it."""
        return self.lease_s * 20
