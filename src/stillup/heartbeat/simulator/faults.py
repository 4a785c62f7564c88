"""The faults a trial may do to a farm, drawn by chance; each ends by itself."""

from collections.abc import Callable
from functools import partial
from itertools import permutations

from stillup.heartbeat.events import MoveAsked, Resumed, Stopping, YieldAsked
from stillup.heartbeat.simulator.network import STRAGGLE_LEASES, Weather
from stillup.heartbeat.simulator.world import World
from stillup.heartbeat.timing import Timing

Fault = Callable[[World, float], None]
"""Does itself to the farm, for about so many seconds."""


FAREWELL_S = 0.1
"""How long a daemon that was told to stop goes on at most."""


def kill_daemon(world: World, last_s: float) -> None:
    """Kill a daemon (kill -9) and start it again; its kernel keeps what was granted."""
    name = _victim(world)
    world.kill(name)
    world.at(world.now_s + last_s * world.luck.random(), lambda: world.start(name))


def pull_plug(world: World, last_s: float) -> None:
    """Power a machine off and on again."""
    name = _victim(world)
    world.power_off(name)
    world.at(world.now_s + last_s, lambda: world.start(name))


def stop_daemon(world: World, last_s: float) -> None:
    """Stop a daemon (SIGSTOP) and let it go on."""
    name = _victim(world)
    world.freeze(name)
    world.at(world.now_s + last_s, lambda: world.thaw(name))


def stop_in_the_middle(world: World, last_s: float) -> None:
    """Stop a daemon between two things it was about to do."""
    name = _victim(world)
    world.freeze(name, after=world.luck.randint(1, 4))
    world.at(world.now_s + last_s, lambda: world.thaw(name))


def part(world: World, last_s: float) -> None:
    """Part the farm in two; now and then only one side stops hearing the other."""
    side = {name for name in world.machines if world.luck.random() < 0.5}
    one_way = world.luck.random() < 0.4
    pairs = {
        (one, other)
        for one, other in permutations(world.machines, 2)
        if (one in side) != (other in side) and not (one_way and one in side)
    }
    _cut(world, pairs, last_s)


def cut_some(world: World, last_s: float) -> None:
    """Cut some directions between some servers."""
    pairs = {pair for pair in permutations(world.machines, 2) if world.luck.random() < 0.25}
    _cut(world, pairs, last_s)


def cut_off(world: World, last_s: float) -> None:
    """Cut one server off from all others."""
    name = _victim(world)
    _cut(world, {pair for pair in permutations(world.machines, 2) if name in pair}, last_s)


def cut_from_voters(world: World, last_s: float) -> None:
    """Cut one balancer off from all but the balancers."""
    name = world.luck.choice(world.electorate.candidates)
    others = set(world.electorate.voters).difference(world.electorate.candidates)
    _cut(world, {pair for other in others for pair in ((name, other), (other, name))}, last_s)


def fall_ill(world: World, last_s: float) -> None:
    """Let a balancer's HAProxy die and come back."""
    name = world.luck.choice(world.electorate.candidates)
    world.set_health(name, healthy=False)
    world.at(world.now_s + last_s, lambda: world.set_health(name, healthy=True))


def ask_to_yield(world: World, last_s: float) -> None:
    """Ask a balancer to let go for a while; now and then take it back."""
    name = world.luck.choice(world.electorate.candidates)
    world.tell(name, YieldAsked(last_s))
    if world.luck.random() < 0.5:
        world.at(world.now_s + last_s / 2, lambda: world.tell(name, Resumed()))


def ask_to_move(world: World, last_s: float) -> None:
    """Ask the holder to hand over, to anybody or to one; now and then again and again."""
    luck = world.luck
    times = luck.choice((1, 1, 1, 4))
    for number in range(times):
        to = luck.choice((None, luck.choice(world.electorate.candidates)))
        world.at(world.now_s + number * last_s / times, partial(_ask_holder, world, to))


def strike_a_move(world: World, last_s: float) -> None:
    """Ask the holder to hand over, and do something bad right then, often to one of the two."""
    luck = world.luck
    _ask_holder(world, luck.choice((None, *world.electorate.candidates)))
    wait_s = luck.choice((0.0005, 0.002, world.electorate.lease_s / 10)) * luck.random()
    name = _victim(world)
    match luck.randint(0, 7):
        case 0:
            world.at(world.now_s + wait_s, lambda: world.freeze(name, after=luck.randint(1, 6)))
            world.at(world.now_s + wait_s + last_s, lambda: world.thaw(name))
        case 1:
            world.at(world.now_s + wait_s, lambda: world.freeze(name))
            world.at(world.now_s + wait_s + last_s, lambda: world.thaw(name))
        case 2:
            world.at(world.now_s + wait_s, lambda: world.kill(name))
            world.at(world.now_s + wait_s + last_s * luck.random(), lambda: world.start(name))
        case 3:
            world.at(world.now_s + wait_s, lambda: world.power_off(name))
            world.at(world.now_s + wait_s + last_s, lambda: world.start(name))
        case 4:
            world.at(world.now_s + wait_s, lambda: world.set_health(name, healthy=False))
            world.at(world.now_s + wait_s + last_s, lambda: world.set_health(name, healthy=True))
        case 5:
            world.at(world.now_s + wait_s, lambda: cut_some(world, last_s))
        case 6:
            for number in range(8):
                again_s = world.now_s + wait_s + number * 0.0002
                world.at(again_s, partial(_ask_holder, world, None))
        case _:
            world.at(world.now_s + wait_s, lambda: storm(world, last_s))


def move_through_mud(world: World, last_s: float) -> None:
    """Hand over while datagrams crawl, and cut the taker off as the last word is on its way.

    So the taker holds only what it was handed, the giver could not tell, and the others take
    over as soon as they can: what the two believed of each other's clock shows.
    """
    luck, giver = world.luck, world.holder()
    others = [name for name in world.electorate.candidates if name != giver]
    if giver is None or not others:
        return
    taker, calm = luck.choice(others), world.network.weather
    leg_s = Timing(world.electorate.lease_s).offer_s * luck.uniform(0.1, 0.24)
    world.network.weather = Weather(delay_s=leg_s, jitter_s=1e-6)
    world.tell(giver, MoveAsked(taker))

    def clear() -> None:
        world.network.weather = calm
        _cut(world, {pair for pair in permutations(world.machines, 2) if taker in pair}, last_s)

    # The fifth datagram hands over.
    world.at(world.now_s + 4.9 * leg_s, clear)


def restart_cleanly(world: World, last_s: float) -> None:
    """Stop a daemon as systemd does, and start it again."""
    name = _victim(world)
    world.tell(name, Stopping(at_once=world.luck.random() < 0.2))
    gone_s = world.now_s + FAREWELL_S * world.luck.random()
    world.at(gone_s, lambda: world.kill(name))
    world.at(gone_s + last_s * world.luck.random(), lambda: world.start(name))


def storm(world: World, last_s: float) -> None:
    """Make the network lose, delay, double and reorder much for a while."""
    calm = world.network.weather
    lease_s = world.electorate.lease_s
    luck = world.luck
    world.network.weather = Weather(
        loss=luck.uniform(0, 0.5),
        double=luck.uniform(0, 0.3),
        straggle=luck.uniform(0, 0.2),
        straggle_s=lease_s * luck.uniform(0.1, STRAGGLE_LEASES),
        jitter_s=lease_s * luck.uniform(0.001, 0.1),
    )

    def clear() -> None:
        world.network.weather = calm

    world.at(world.now_s + last_s, clear)


FAULTS: tuple[Fault, ...] = (
    kill_daemon,
    pull_plug,
    stop_daemon,
    stop_daemon,
    stop_in_the_middle,
    part,
    part,
    cut_some,
    cut_off,
    cut_from_voters,
    fall_ill,
    ask_to_yield,
    ask_to_move,
    strike_a_move,
    strike_a_move,
    move_through_mud,
    restart_cleanly,
    storm,
)


def _ask_holder(world: World, to: str | None) -> None:
    name = world.holder()
    if name is not None:
        world.tell(name, MoveAsked(to if to != name else None))


def _victim(world: World) -> str:
    """Return some server; as often as not the one that holds the address."""
    holder = world.holder()
    if holder is not None and world.luck.random() < 0.5:
        return holder
    return world.luck.choice(world.electorate.voters)


def _cut(world: World, pairs: set[tuple[str, str]], last_s: float) -> None:
    """Cut these directions. Where two cuts overlap, the first to end mends both."""
    world.network.cut.update(pairs)
    world.at(world.now_s + last_s, lambda: world.network.cut.difference_update(pairs))
