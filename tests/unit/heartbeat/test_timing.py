"""The durations, above all the one that safety rests on."""

import pytest

from stillup.heartbeat.timing import Timing

LEASES_S = (0.15, 0.5, 2.0, 10.0)


@pytest.mark.parametrize("lease_s", LEASES_S)
def test_the_slowest_holder_ends_before_the_fastest_voter(lease_s: float) -> None:
    holder_true_s = Timing(lease_s).hold_s / 0.99
    voter_true_s = lease_s / 1.01
    assert holder_true_s < voter_true_s


@pytest.mark.parametrize("lease_s", LEASES_S)
def test_there_is_time_for_four_renewals_and_several_tries_of_each(lease_s: float) -> None:
    timing = Timing(lease_s)
    assert timing.renew_s == pytest.approx(lease_s / 4)
    assert 3 * timing.retry_s < timing.renew_s
