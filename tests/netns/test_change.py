"""Real daemons through a change of who votes and of the lease: nobody is left unanswered."""

import signal
import time

import pytest
from tests.netns.farm import BALANCERS, LEASE_MS, Farm, wait_for
from tests.netns.test_reload import daemons_as_they_were, undisturbed

from stillup.heartbeat.membership import wait_s
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.settings_reader import Json

__all__ = ["daemons_as_they_were"]
pytestmark = [pytest.mark.netns, pytest.mark.timeout(90)]

OLD = {"lb1": "10.0.0.2", "lb2": "10.0.0.3", "db1": "10.0.0.4"}
NEW = {"lb1": "10.0.0.2", "lb2": "10.0.0.3"}


def side(voters: dict[str, str], lease_ms: int) -> dict[str, Json]:
    return {"voters": {**voters}, "candidates": [*BALANCERS], "lease_ms": lease_ms}


def electorate(voters: dict[str, str], lease_ms: int) -> Electorate:
    return Electorate(tuple(voters), BALANCERS, lease_ms / 1000)


def bring(farm: Farm, name: str, stage: str, lease_ms: int) -> None:
    """Have a daemon go on at a stage of the change."""
    change: dict[str, Json] = {
        "stage": stage,
        "old": side(OLD, LEASE_MS),
        "new": side(NEW, lease_ms),
    }
    settings = {**farm.settings(name), "change": change}
    farm.tell(name, settings)
    farm.reload(name)


@pytest.mark.parametrize("lease_ms", [250, 1000])
def test_a_voter_leaves_and_the_lease_changes_while_the_address_is_answered_for(
    farm: Farm, lease_ms: int
) -> None:
    with undisturbed(farm):
        for stage in ("joint", "settled"):
            for name in OLD:
                bring(farm, name, stage, lease_ms)
            wait_for(lambda: _votes(farm) >= 2, "the holder has its votes")
        # The time itself is what is waited for: what was lent before is over then.
        time.sleep(wait_s(electorate(OLD, LEASE_MS), electorate(NEW, lease_ms)))
        for name in NEW:
            bring(farm, name, "after", lease_ms)
        wait_for(lambda: farm.status("lb1").get("votes") == [*BALANCERS], "both vote")

    _stop(farm, "db1")
    assert farm.status("lb1")["lease_ms"] == lease_ms
    assert farm.holds("lb1")


def _votes(farm: Farm) -> int:
    votes = farm.status("lb1")["votes"]
    return len(votes) if isinstance(votes, list) else 0


def _stop(farm: Farm, name: str) -> None:
    farm.signal_daemon(name, signal.SIGTERM)
    wait_for(lambda: farm.status(name) == {}, "it has ended")
