"""One seeded trial of a farm whose electorate changes: safety always, no vacancy for a change.

With faults two must never hold, and once they have ended somebody does, as in ``trial.py``. Without
faults the change itself must leave nobody unanswered for longer than a hand-over takes.
"""

import functools
from dataclasses import dataclass

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import Resumed
from stillup.heartbeat.membership import Configuration, may_go_on, stages
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.change import Allow, Change, Kind, Stages, changed
from stillup.heartbeat.simulator.faults import FAULTS
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import STRAGGLE_LEASES, Weather
from stillup.heartbeat.simulator.trial import HANDOVER_S, LONGEST_FAULT_LEASES, bound_s
from stillup.heartbeat.simulator.world import Build, World

NEWCOMER = "s9"
LEASES_S = (0.15, 0.5, 1.0)
CHAOS_LEASES = 24
LONGEST_LEASES = 80
RATES = (0.99, 0.995, 1.0, 1.005, 1.01)


@dataclass(frozen=True)
class How:
    """How the change is made.

    Args:
        faults: Whether anything goes wrong meanwhile.
        kinds: What may be changed.
        stages: The configurations on the way.
        allow: Whether the next stage may begin.
        waits: Whether the change waits a lease before its last stage.
    """

    faults: bool = True
    kinds: tuple[Kind, ...] = tuple(Kind)
    stages: Stages = stages
    allow: Allow = may_go_on
    waits: bool = True


def run(luck: Luck, build: Build = Node, how: How | None = None) -> Kind:
    """Run one trial and return what was changed in it.

    Args:
        luck: ``random.Random(seed)``; the trial is a function of it.
        build: Makes a node.
        how: How the change is made; with faults, in stages, when None.

    Raises:
        TwoHolders: Promise 1 was broken; the text is the trace.
        Deserted: Nobody held although somebody could have; the text is the trace.
    """
    how = how or How()
    kind = luck.choice(how.kinds)
    old = _old(luck, kind)
    new = changed(old, kind, NEWCOMER)
    world = _farm(luck, build, old, new)
    lease_s = max(old.lease_s, new.lease_s)
    world.run_until(4 * lease_s)
    begun_s = world.now_s
    change = Change(world, old, new, luck, 0.0, how.stages, how.allow, how.waits)
    if how.faults:
        _disturb(world, change, lease_s)
    change.begin()
    least_s = begun_s + (CHAOS_LEASES if how.faults else 0) * lease_s
    while not change.done or world.now_s < least_s:
        world.run_until(world.now_s + lease_s)
        if world.now_s > begun_s + LONGEST_LEASES * lease_s:
            break
    if how.faults:
        _calm(world, lease_s)
    _expect(world, change, lease_s, world.now_s if how.faults else begun_s)
    return kind


def _old(luck: Luck, kind: Kind) -> Electorate:
    """Return a farm of 2 to 5 servers that can be changed so."""
    least = 3 if kind in (Kind.VOTER_REMOVED, Kind.BALANCER_REMOVED) else 2
    voters = tuple(f"s{number}" for number in range(1, luck.randint(least, 5) + 1))
    balancers = luck.choice((2, 2, 3))
    if kind is Kind.VOTER_REMOVED:
        balancers = 2
    return Electorate(voters, voters[:balancers], luck.choice(LEASES_S))


def _farm(luck: Luck, build: Build, old: Electorate, new: Electorate) -> World:
    newcomers = tuple(name for name in new.voters if name not in old.voters)
    names = (*old.voters, *newcomers)
    clocks = {name: Clock(luck.choice(RATES), luck.uniform(0, 1e5)) for name in names}
    nature = luck.getrandbits(64)
    world = World(old, clocks, luck, build, None, None, nature, newcomers)
    for name in old.voters:
        world.at(luck.uniform(0, old.lease_s), functools.partial(world.start, name))
    return world


def _disturb(world: World, change: Change, lease_s: float) -> None:
    """Plan faults for as long as the change may take, and who cannot be reached meanwhile."""
    luck = world.luck
    change.restarts = luck.choice((0.0, 0.3))
    if luck.random() < 0.4:
        world.network.weather = Weather(
            loss=luck.choice((0.0, 0.05)),
            straggle=luck.choice((0.0, 0.01)),
            straggle_s=STRAGGLE_LEASES * lease_s,
            jitter_s=0.001,
        )
    for name in world.machines:
        if luck.random() < 0.35:
            change.away_until_s[name] = world.now_s + luck.uniform(2, 60) * lease_s
    begun_s = at_s = world.now_s
    while at_s < begun_s + CHAOS_LEASES * lease_s:
        at_s += luck.expovariate(1 / lease_s)
        last_s = lease_s * luck.choice((0.05, 0.3, 1.0, LONGEST_FAULT_LEASES, 8))
        world.at(at_s, functools.partial(luck.choice(FAULTS), world, last_s))


def _calm(world: World, lease_s: float) -> None:
    """Let what is under way end."""
    world.run_until(world.now_s + 10 * lease_s)
    world.network.weather = Weather()
    world.network.cut.clear()
    world.run_until(world.now_s + STRAGGLE_LEASES * lease_s)
    for name, machine in world.machines.items():
        world.thaw(name)
        world.start(name)
        world.tell(name, Resumed())
        if not machine.healthy:
            world.set_health(name, healthy=True)


def _expect(world: World, change: Change, lease_s: float, from_s: float) -> None:
    """Expect a holder once the change is over, if those that took it in could hold."""
    if not change.done or not _could_hold(world, change):
        return
    bound = bound_s(lease_s) + lease_s
    if from_s < world.now_s:
        bound = 0.0
    world.run_until(world.now_s + bound)
    world.expect_holder()
    world.run_until(world.now_s + 4 * lease_s)
    world.expect_steady(from_s + bound, HANDOVER_S)


def _could_hold(world: World, change: Change) -> bool:
    """Return whether those that run the last stage would be enough."""
    last = change.stages(change.old, change.new)[-1]
    there = [
        machine.name
        for machine in world.machines.values()
        if machine.node is not None and machine.runs is not None
        and machine.runs.fingerprint == last.fingerprint
    ]  # fmt: skip
    return any(change.new.is_enough(there, name) for name in change.new.candidates)


def direct(old: Electorate, new: Electorate) -> tuple[Configuration, ...]:
    """Return the stages of a change that has none: each server goes from old to new by itself."""
    del old
    return (Configuration(new),)
