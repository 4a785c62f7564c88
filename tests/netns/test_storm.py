"""Faults at random instants for some seconds: never two answer, and soon one again.

``SEED=4711 STORM_S=120 pytest tests/netns/test_storm.py`` for another storm, or a longer one.
"""

import os
import random
import signal
import time

import pytest
from tests.asker import latest_s, longest_outage_s
from tests.netns.farm import BALANCERS, LEASE_MS, Farm, end
from tests.wire import overlaps

pytestmark = [pytest.mark.netns]

STORM_S = float(os.environ.get("STORM_S", "10"))
SEED = int(os.environ.get("SEED", "1"))
LEASE_S = LEASE_MS / 1000
CALM_S = 1.5
KINDS = ("stop", "stop", "cut", "kill")


def strike(farm: Farm, luck: random.Random) -> None:
    """Do something to one of the balancers, and undo it after a while."""
    name, kind = luck.choice(BALANCERS), luck.choice(KINDS)
    lasting_s = luck.uniform(0.05, 2.4 * LEASE_S)
    if kind == "stop":
        farm.signal_daemon(name, signal.SIGSTOP)
        time.sleep(lasting_s)
        farm.signal_daemon(name, signal.SIGCONT)
    elif kind == "cut":
        farm.forward(name, on=False)
        time.sleep(lasting_s)
        farm.forward(name, on=True)
    else:
        end(farm.daemons[name])
        time.sleep(lasting_s)
        farm.start_daemon(name)
    time.sleep(luck.uniform(0.0, LEASE_S))


@pytest.mark.timeout(60 + 2 * STORM_S)
def test_a_storm_of_faults_never_has_two_answer(farm: Farm) -> None:
    luck = random.Random(SEED)
    watcher, asker = farm.watcher(), farm.asker()
    end_s = time.monotonic() + STORM_S
    strikes = 0
    while time.monotonic() < end_s:
        strike(farm, luck)
        strikes += 1
    time.sleep(CALM_S)
    sightings, asked = watcher.stop(), asker.stop()

    # A server takes the address again by right no sooner than a lease after it fell silent,
    # less what the holder does not use of it and what the client's questions are apart.
    assert overlaps(sightings, 0.9 * LEASE_S) == [], f"SEED={SEED}: two answered"
    # One fault may follow upon another; even two in a row cost two leases.
    assert longest_outage_s(asked) - latest_s(asked) < 2 * LEASE_S + 0.2, f"SEED={SEED}"
    assert strikes >= STORM_S / 3
