"""One seeded trial of two balancers with a witness: safety under what a witness can tell apart.

Any fault but one: servers that both reach the witness always reach each other, and datagrams are
lost one in twenty at most. That one is what a witness does not protect from (``witness.py``); with
it two do hold, which a test shows as well.
"""

import functools
from dataclasses import dataclass, field

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import Resumed
from stillup.heartbeat.quorum import Electorate, witness_vote
from stillup.heartbeat.simulator.faults import (
    Fault,
    ask_to_yield,
    fall_ill,
    kill_daemon,
    pull_plug,
    restart_cleanly,
    stop_daemon,
    stop_in_the_middle,
)
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import Weather
from stillup.heartbeat.simulator.trial import CHAOS_LEASES, HANDOVER_S, LEASES_S, bound_s
from stillup.heartbeat.simulator.world import Build, World

VOTERS = ("s1", "s2")
WITNESS = "10.0.0.254"
EVERYBODY = (*VOTERS, WITNESS)
LAST_LEASES = (0.05, 0.3, 1.0, 1.3, 3.0)
FAULTS: tuple[Fault, ...] = (
    kill_daemon,
    pull_plug,
    stop_daemon,
    stop_daemon,
    stop_in_the_middle,
    fall_ill,
    ask_to_yield,
    restart_cleanly,
)


@dataclass
class Cuts:
    """Cuts of whole cables, each of which lasts its own time; overlapping ones add up.

    Args:
        world: The farm.
        between: Whether the two servers may be cut from each other alone, too.
    """

    world: World
    between: bool = False
    _open: list[frozenset[tuple[str, str]]] = field(default_factory=list)

    def make(self, last_s: float) -> None:
        """Cut something for so long."""
        luck = self.world.luck
        name = luck.choice(VOTERS)
        others = [other for other in EVERYBODY if other != name]
        if luck.random() < 0.5:
            others = [VOTERS[0] if name == VOTERS[1] else VOTERS[1]] if self.between else [WITNESS]
        cut = frozenset(pair for other in others for pair in ((name, other), (other, name)))
        self._open.append(cut)
        self._apply()
        self.world.at(self.world.now_s + last_s, functools.partial(self._mend, cut))

    def _mend(self, cut: frozenset[tuple[str, str]]) -> None:
        self._open.remove(cut)
        self._apply()

    def _apply(self) -> None:
        self.world.network.cut.clear()
        self.world.network.cut.update(*self._open)


def run(luck: Luck, build: Build = Node, *, cut_between: bool = False) -> float:
    """Run one trial.

    Args:
        luck: ``random.Random(seed)``; the trial is a function of it.
        build: Makes a node.
        cut_between: Also cut the two from each other while both reach the witness.

    Returns:
        For how long nobody answered at most, in leases.

    Raises:
        TwoHolders: Promise 1 was broken; the text is the trace.
        Deserted: Nobody held although somebody could have; the text is the trace.
    """
    electorate = Electorate(VOTERS, VOTERS, luck.choice(LEASES_S), WITNESS)
    lease_s = electorate.lease_s
    clocks = {name: Clock(luck.choice((0.99, 1.0, 1.01)), luck.uniform(0, 1e5)) for name in VOTERS}
    world = World(electorate, clocks, luck, build, nature=luck.getrandbits(64))
    world.network.weather = Weather(
        loss=luck.choice((0.0, 0.05)), jitter_s=luck.choice((0.0001, 0.001))
    )
    for name in VOTERS:
        world.at(luck.uniform(0, lease_s), functools.partial(world.start, name))
    _chaos(world, Cuts(world, cut_between))
    _settle(world)
    if not _could_hold(world):
        return 0.0
    calm_s = world.now_s
    bound = bound_s(lease_s) + 2 * lease_s / 0.99 + lease_s / 4
    world.run_until(calm_s + bound)
    world.expect_holder()
    world.run_until(calm_s + bound + 4 * lease_s)
    world.expect_steady(calm_s + bound, HANDOVER_S)
    return max((gap.to_s - gap.from_s for gap in world.kernels.gaps), default=0.0) / lease_s


def _chaos(world: World, cuts: Cuts) -> None:
    luck, lease_s = world.luck, world.electorate.lease_s
    at_s = luck.uniform(0, 2.5 * lease_s)
    while at_s < CHAOS_LEASES * lease_s:
        world.run_until(at_s)
        last_s = lease_s * luck.choice(LAST_LEASES)
        if luck.random() < 0.4:
            cuts.make(last_s)
        else:
            luck.choice(FAULTS)(world, last_s)
        at_s += luck.expovariate(1.2 / lease_s)


def _settle(world: World) -> None:
    """End what is under way, and leave one server dead or cut off, as often as not."""
    luck, lease_s = world.luck, world.electorate.lease_s
    world.run_until(world.now_s + max(LAST_LEASES) * lease_s + 0.001)
    world.network.weather = Weather()
    world.run_until(world.now_s + lease_s / 10)
    for name in VOTERS:
        world.tell(name, Resumed())
    name, fate = luck.choice(VOTERS), luck.random()
    if fate < 0.3:
        world.power_off(name)
    elif fate < 0.5:
        world.kill(name)
    elif fate < 0.7:
        others = [other for other in EVERYBODY if other != name]
        world.network.cut.update(pair for one in others for pair in ((name, one), (one, name)))


def _could_hold(world: World) -> bool:
    there = [m.name for m in world.machines.values() if m.node is not None and not m.frozen]
    for name in there:
        votes = [voter for voter in there if world.network.connected(name, voter)]
        if world.network.connected(name, WITNESS):
            votes.append(witness_vote(WITNESS))
        if world.machines[name].healthy and world.electorate.is_enough(votes, name):
            return True
    return False
