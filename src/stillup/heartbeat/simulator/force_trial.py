"""One seeded trial of force: most servers die, a person says so, and they come back later.

What the person says is true, and the dead come back where the others hear them; what happens
otherwise is what he risks (``force.py``). Two must never hold, the address must be answered for
while the dead are dead, and in the end nobody is dead any more.
"""

import functools

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import DeclaredDead
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import Weather
from stillup.heartbeat.simulator.trial import HANDOVER_S, bound_s
from stillup.heartbeat.simulator.world import Build, Deserted, World

LEASES_S = (0.15, 0.5, 1.0)


def run(luck: Luck, build: Build = Node) -> int:
    """Run one trial and return how many servers were declared dead.

    Args:
        luck: ``random.Random(seed)``; the trial is a function of it.
        build: Makes a node.

    Raises:
        TwoHolders: Promise 1 was broken; the text is the trace.
        Deserted: Nobody held although somebody could have, or somebody is still held for dead.
    """
    world = _farm(luck, build)
    lease_s = world.electorate.lease_s
    world.run_until(4 * lease_s)
    dead = _kill_quorum(world)
    died_s = world.now_s
    living = [name for name in world.electorate.voters if name not in dead]
    balancers = [name for name in living if name in world.electorate.candidates]
    # The person is told no while they may hold yet, and says it again.
    for at_s in (luck.choice((0.01, 0.3, 1)) * lease_s, 2.1 * lease_s):
        world.run_until(died_s + at_s)
        for name in balancers if luck.random() < 0.5 else balancers[:1]:
            world.tell(name, DeclaredDead(dead))
    world.run_until(world.now_s + bound_s(lease_s))
    world.expect_holder()
    _disturb(world, balancers)
    _revive(world, dead)
    world.run_until(world.now_s + 10 * lease_s)
    world.expect_holder()
    world.expect_steady(world.now_s - 2 * lease_s, HANDOVER_S)
    _expect_nobody_dead(world)
    return len(dead)


def _farm(luck: Luck, build: Build) -> World:
    voters = tuple(f"s{number}" for number in range(1, luck.randint(2, 6) + 1))
    electorate = Electorate(voters, voters[: luck.choice((2, 2, 3))], luck.choice(LEASES_S))
    clocks = {name: Clock(luck.choice((0.99, 1.0, 1.01)), luck.uniform(0, 1e5)) for name in voters}
    world = World(electorate, clocks, luck, build, nature=luck.getrandbits(64))
    world.network.weather = Weather(loss=luck.choice((0.0, 0.05)))
    for name in voters:
        world.at(luck.uniform(0, electorate.lease_s), functools.partial(world.start, name))
    return world


def _kill_quorum(world: World) -> frozenset[str]:
    """Kill servers, the machine or the daemon, one by one until the others are not enough."""
    luck, electorate = world.luck, world.electorate
    holder = world.holder()
    survivor = luck.choice([name for name in electorate.candidates if name != holder])
    left = set(electorate.voters)
    while any(electorate.is_enough(left, name) for name in electorate.candidates):
        name = luck.choice(sorted(left - {survivor}))
        left.remove(name)
        kill = world.power_off if luck.random() < 0.3 else world.kill
        kill(name)
        world.run_until(world.now_s + luck.uniform(0, electorate.lease_s / 4))
    return frozenset(electorate.voters) - left


def _disturb(world: World, balancers: list[str]) -> None:
    """Stop or restart balancers that live, a few times."""
    luck, lease_s = world.luck, world.electorate.lease_s
    for _ in range(luck.randint(0, 3)):
        name = luck.choice(balancers)
        if luck.random() < 0.7:
            world.freeze(name)
            world.at(
                world.now_s + lease_s * luck.uniform(0.2, 2), functools.partial(world.thaw, name)
            )
        else:
            world.kill(name)
            world.at(world.now_s + lease_s * luck.random(), functools.partial(world.start, name))
        world.run_until(world.now_s + lease_s * luck.uniform(0, 2))


def _revive(world: World, dead: frozenset[str]) -> None:
    """Let the dead come back, in any order, about at once or one after another."""
    luck, lease_s = world.luck, world.electorate.lease_s
    pace_s = lease_s * luck.choice((0.1, 1.0, 4.0))
    for name in sorted(dead, key=lambda _: luck.random()):
        world.start(name)
        world.run_until(world.now_s + pace_s * luck.random())


def _expect_nobody_dead(world: World) -> None:
    for machine in world.machines.values():
        node = machine.node
        if node is not None and node.status(machine.clock.read(world.now_s)).dead:
            raise Deserted(world.story(f"{machine.name} still counts without {node.declared}"))
