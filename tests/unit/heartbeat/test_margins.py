"""What is warned of, and what is not yet."""

from stillup.heartbeat.margins import warnings


def test_a_daemon_that_is_on_time_is_warned_of_nothing() -> None:
    assert warnings(0.5, 0.09, {"10.0.0.1": 0.24}, real_time=True) == []


def test_one_that_was_later_than_a_renewal_takes() -> None:
    assert warnings(0.5, 0.13, {}, real_time=True) == [
        "the daemon ran up to 0.130 s late within the last two minutes; "
        "from 0.365 s on it loses what it holds"
    ]


def test_renewals_that_were_half_a_lease_apart() -> None:
    assert warnings(1.0, 0.0, {"10.0.0.1": 0.51, "10.0.0.7": 0.2}, real_time=True) == [
        "10.0.0.1 was not renewed for 0.510 s within the last two minutes; after 0.980 s it is lost"
    ]


def test_a_short_lease_without_real_time() -> None:
    assert warnings(0.15, 0.0, {}, real_time=False) == [
        "a lease of 0.15 s wants real-time scheduling, which was refused; see docs/heartbeat.md"
    ]
    assert warnings(0.5, 0.0, {}, real_time=False) == []
