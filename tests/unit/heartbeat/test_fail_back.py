"""When the address moves back to whom it prefers, by hand-over."""

from tests.unit.heartbeat.test_core import (
    AWAKE_S,
    FARM,
    LEASE_S,
)
from tests.unit.heartbeat.test_handover import lasting

from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import (
    HealthChanged,
)


def preferring(*, failback: bool = True) -> Node:
    settings = Settings("lb1", FARM, "lb2", failback=failback)
    made = Node(settings, 11, AWAKE_S - LEASE_S, lambda: 0.5)
    made.handle(HealthChanged(healthy=True, reason="haproxy answers"), AWAKE_S)
    return made


def test_it_moves_back_when_the_preferred_has_been_fit_for_twenty_leases() -> None:
    offers = lasting(preferring(), AWAKE_S, 24)
    assert offers
    assert 20 * LEASE_S <= offers[0][0] - AWAKE_S < 22 * LEASE_S


def test_it_does_not_move_back_before() -> None:
    assert lasting(preferring(), AWAKE_S, 19) == []


def test_it_does_not_move_back_when_it_shall_not() -> None:
    assert lasting(preferring(failback=False), AWAKE_S, 24) == []


def test_it_stays_where_a_person_moved_it_until_told_otherwise() -> None:
    made = preferring()
    made.standing.stays = True
    assert lasting(made, AWAKE_S, 24) == []
