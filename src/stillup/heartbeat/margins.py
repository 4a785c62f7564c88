"""What comes near to a fault, told before it is one: pure.

A holder asks for its votes four times a lease. From one renewal that is confirmed to the end of the
lease there are at least 0.73 leases (0.98, less one renewal's time), so a daemon that is that late
loses the address. It is warned of at a third of that, one renewal's time, which is late enough
to be no accident of a busy second and early enough for two more such to pass unharmed. Between
two renewals in the kernel a quarter of the lease passes, a half when some of them were lost.
"""

from collections.abc import Mapping

from stillup.heartbeat.timing import CLOCK_MARGIN, RENEWALS_PER_LEASE

SLOW_SHARE = 0.5
"""Of a lease between two renewals; at 0.98 the address is lost."""

SHORT_LEASE_S = 0.5
"""Below this a lease wants real-time scheduling (``docs/heartbeat.md``)."""


def warnings(
    lease_s: float, late_s: float, slowest_s: Mapping[str, float], *, real_time: bool
) -> list[str]:
    """Return a sentence for each thing that comes near to a fault.

    Args:
        lease_s: The lease.
        late_s: How late the daemon's loop ran lately, at most.
        slowest_s: For each address that is held, the longest time between two renewals lately.
        real_time: Whether the daemon runs in real time.
    """
    found = []
    if late_s > lease_s / RENEWALS_PER_LEASE:
        lost_s = lease_s * (1 - CLOCK_MARGIN - 1 / RENEWALS_PER_LEASE)
        found.append(
            f"the daemon ran up to {late_s:.3f} s late within the last two minutes; "
            f"from {lost_s:.3f} s on it loses what it holds"
        )
    for address, slow_s in slowest_s.items():
        if slow_s > lease_s * SLOW_SHARE:
            lost_s = lease_s * (1 - CLOCK_MARGIN)
            found.append(
                f"{address} was not renewed for {slow_s:.3f} s within the last two minutes; "
                f"after {lost_s:.3f} s it is lost"
            )
    if lease_s < SHORT_LEASE_S and not real_time:
        found.append(
            f"a lease of {lease_s:g} s wants real-time scheduling, which was refused; see "
            "docs/heartbeat.md"
        )
    return found
