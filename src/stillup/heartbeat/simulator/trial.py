"""One seeded trial: a farm by chance, faults by chance; safety always, liveness once they end.

**Liveness bound.** Once the faults have stopped changing, and while some fit candidate and
voters that are enough for it hear each other, the address is answered for after at most
``bound_s(lease_s)``, and from then on never unanswered for longer than ``HANDOVER_S``.

**Planned moves.** Then the holder is asked to hand over. If it and another fit candidate hear each
other, each hears voters that are enough, and nothing is lost, the other one holds within
``Timing.offer_s``, and nobody answers for as long as one datagram takes: ``MOVE_GAP_S`` here.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

from stillup.heartbeat.core import Node
from stillup.heartbeat.events import MoveAsked, Resumed
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.faults import FAULTS
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.machine import Clock
from stillup.heartbeat.simulator.network import STRAGGLE_LEASES, Weather
from stillup.heartbeat.simulator.spy import Spy
from stillup.heartbeat.simulator.world import Build, Deserted, World
from stillup.heartbeat.timing import Timing

LEASES_S = (0.15, 0.5, 0.5, 1.0, 2.0)
CHAOS_LEASES = 14
CALM_LEASES = 4
LONGEST_FAULT_LEASES = 3
HANDOVER_S = 0.05
MOVE_GAP_S = 0.005
MOVES = 3
SIZES = (2, 6)

MakeWorld = Callable[
    [Electorate, dict[str, Clock], Luck, Build, "str | None", "Spy | None", int], World
]

__all__ = ["Deserted", "Outcome", "Plan", "bound_s", "run"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of farms to try.

    Args:
        sizes: The fewest and the most servers of a farm; at least two.
        world: Makes the world; one that writes down what is done to it, for instance.
    """

    sizes: tuple[int, int] = SIZES
    world: MakeWorld = World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial showed.

    Args:
        recovered_s: How long after the faults stopped changing nobody answered at most, less
            the lease; None if nobody need have been able to.
        moves: How often the address was gained.
        steps: How many events were handled.
        virtual_s: How long the farm lived, in its own time.
        servers: How many it had.
        faults: The names of the faults that were done to it.
    """

    recovered_s: float | None
    moves: int
    steps: int
    virtual_s: float
    servers: int
    faults: tuple[str, ...]


def bound_s(lease_s: float) -> float:
    """Return the liveness bound: a lease, on the slowest clock, and a tenth of a second.

    A lease for what was granted before to run out, or for the silence of a voter that just
    restarted. A tenth of a second for candidates to notice, to ask twice, to be outbid by each
    other or to lose a datagram, and to ask again. With leases above half a second the waits
    between two tries grow too: a fifth of the lease then.
    """
    return lease_s / 0.99 + max(0.1, lease_s / 5)


def run(
    luck: Luck, build: Build = Node, spy: Spy | None = None, plan: Plan | None = None
) -> Outcome:
    """Run one trial.

    Args:
        luck: ``random.Random(seed)``; the trial is a function of it.
        build: Makes a node.
        spy: If there is one, datagrams are sealed, and it records and replays them.
        plan: What kind of farm.

    Raises:
        TwoHolders: Promise 1 was broken; the text is the trace.
        Deserted: The liveness bound was broken; the text is the trace.
    """
    world = _farm(luck, build, spy, plan or Plan())
    lease_s = world.electorate.lease_s
    faults = _chaos(world, CHAOS_LEASES * lease_s)
    _settle(world)
    calm_s = world.now_s
    recovered_s = None
    if _could_hold(world):
        recovered_s = _expect_holder(world, calm_s)
    world.run_until(calm_s + bound_s(lease_s) + CALM_LEASES * lease_s)
    if recovered_s is not None:
        world.expect_steady(calm_s + bound_s(lease_s), HANDOVER_S)
        _expect_moves(world, obeyed=spy is None)
    servers = len(world.machines)
    return Outcome(recovered_s, len(world.kernels.gaps), world.count, world.now_s, servers, faults)


def _farm(luck: Luck, build: Build, spy: Spy | None, plan: Plan) -> World:
    """Return a farm of some servers, 2 or 3 of them balancers, started about now."""
    voters = tuple(f"s{number}" for number in range(1, luck.randint(*plan.sizes) + 1))
    candidates = voters[: min(len(voters), luck.choice((2, 2, 3)))]
    electorate = Electorate(voters, candidates, luck.choice(LEASES_S))
    # As often as not the clocks are as far apart as they may be.
    rates = (0.99, 1.01) if luck.random() < 0.5 else (0.99, 0.995, 1.0, 1.005, 1.01)
    clocks = {name: Clock(luck.choice(rates), luck.uniform(0, 1e5)) for name in voters}
    preferred = luck.choice((None, candidates[0], candidates[-1]))
    nature = luck.getrandbits(64)
    world = plan.world(electorate, clocks, luck, build, preferred, spy, nature)
    if luck.random() < 0.5:
        world.network.weather = _weather(luck, electorate.lease_s)
    world.late_s = luck.choice((0.0, 0.001, 0.01))
    for name in voters:
        world.at(luck.uniform(0, electorate.lease_s), functools.partial(world.start, name))
    return world


def _weather(luck: Luck, lease_s: float) -> Weather:
    return Weather(
        loss=luck.choice((0.0, 0.01, 0.1)),
        double=luck.choice((0.0, 0.05)),
        straggle=luck.choice((0.0, 0.01)),
        straggle_s=STRAGGLE_LEASES * lease_s,
        jitter_s=luck.choice((0.0001, 0.001, lease_s / 50)),
    )


def _chaos(world: World, last_s: float) -> tuple[str, ...]:
    """Let faults happen, one and a half in a lease on average, alone and together.

    Returns:
        Their names.
    """
    luck, lease_s = world.luck, world.electorate.lease_s
    at_s = luck.uniform(0, 2.5 * lease_s)
    done: list[str] = []
    while at_s < last_s:
        world.run_until(at_s)
        fault = luck.choice(FAULTS)
        fault(world, lease_s * luck.choice((0.05, 0.3, 1.0, 1.3, LONGEST_FAULT_LEASES)))
        done.append(fault.__name__)
        at_s += luck.expovariate(1.5 / lease_s)
    world.run_until(last_s)
    return tuple(done)


def _settle(world: World) -> None:
    """End what is under way, and leave none, one or some of the faults for good."""
    luck = world.luck
    # Let the faults that end by themselves do so, then let what is still in the air land.
    lease_s = world.electorate.lease_s
    world.run_until(world.now_s + LONGEST_FAULT_LEASES * lease_s + 0.001)
    world.network.weather = Weather(loss=luck.choice((0.0, 0.01)))
    world.run_until(world.now_s + STRAGGLE_LEASES * lease_s)
    world.late_s = min(world.late_s, 0.001)
    for name in world.electorate.candidates:
        world.tell(name, Resumed())
    kind = luck.random()
    if kind < 0.4:
        return
    for name in world.electorate.voters:
        fate = luck.random()
        if fate < 0.1:
            world.power_off(name)
        elif fate < 0.2:
            world.kill(name)
        elif fate < 0.3:
            world.freeze(name)
        elif fate < 0.4 and name in world.electorate.candidates:
            world.set_health(name, healthy=False)
    if kind < 0.7:
        return
    share = luck.choice((0.1, 0.3))
    world.network.cut.update(
        pair for pair in permutations(world.machines, 2) if luck.random() < share
    )


def _could_hold(world: World) -> bool:
    """Return whether a fit candidate and enough voters hear each other."""
    return bool(world.fit())


def _expect_moves(world: World, *, obeyed: bool) -> None:
    """Move the address on purpose, a few times in a row if there is where to.

    Args:
        world: The farm, in a calm.
        obeyed: Whether it must move. Who is on the wire may let a word come now that was lost
            before ("I am not fit"): then it need not, but somebody answers all the time.
    """
    world.network.weather = Weather()
    lease_s = world.electorate.lease_s
    world.run_until(world.now_s + 2 * lease_s)
    for _ in range(MOVES):
        if not world.holds_by_votes():
            # What it was handed it hands on when it has votes of its own; some may not hear who
            # handed it over, and lend theirs when what they lent before has run out.
            world.run_until(world.now_s + bound_s(lease_s))
        moves = [(one, other) for one, other in permutations(world.fit(), 2)]
        pairs = [pair for pair in moves if pair[0] == world.holder() and world.hear(*pair)]
        if not pairs:
            return
        giver, taker = world.luck.choice(pairs)
        asked_s = world.now_s
        world.tell(giver, MoveAsked(taker))
        world.run_until(asked_s + Timing(lease_s).offer_s)
        if obeyed:
            world.expect_holder(taker)
        world.expect_steady(asked_s, MOVE_GAP_S)
        world.run_until(world.now_s + lease_s * world.luck.random())


def _expect_holder(world: World, calm_s: float) -> float:
    """Let time pass until somebody answers and is a running daemon's; return how long it took."""
    lease_s = world.electorate.lease_s
    # A kernel may answer for a daemon that is gone; what counts is what comes after that.
    world.run_until(calm_s + bound_s(lease_s))
    world.expect_holder()
    gaps = [gap.to_s for gap in world.kernels.gaps if gap.to_s > calm_s]
    return max(gaps, default=calm_s) - calm_s - lease_s
