"""Keepers through deaths, power cuts and partitions: nothing acknowledged is lost, and the farm comes back."""

import random
from itertools import combinations

import pytest
from tests.unit.keeper.world import Node, World

from stillup.keeper.seen import Phase

KINDS = {"two and an arbiter": (2, True), "three": (3, False), "two": (2, False)}


def something_happens(world: World, chance: random.Random) -> None:
    node, other = chance.choice(world.all), chance.choice(world.data)
    pair = frozenset(n.name for n in chance.choice(list(combinations(world.all, 2))))
    match chance.randrange(14):
        case 0:
            world.power_off(node)
        case 1 | 2:
            world.power_on(node)
        case 3 if other.alive:
            world.crash(other)
        case 4 if other.alive:
            world.leave(other)
        case 5:
            world.keeper_dies(other)
        case 6:
            world.cuts.add(pair)
        case 7 | 8:
            world.cuts.discard(pair)
        case 9:
            most_go_off(world, chance)
        case _:
            world.write()


def most_go_off(world: World, chance: random.Random) -> None:
    for node in world.all:
        if chance.random() < 0.7:
            world.power_off(node)


def a_round(world: World, chance: random.Random) -> None:
    """Keepers ask and act in any order, and Galera looks at itself in between."""
    for node in chance.sample(world.data, len(world.data)):
        for other in world.data:
            if other is not node and node.alive and chance.random() < 0.8:
                world.hear(node, other)
        if node.alive and chance.random() < 0.8:
            world.step(node)
        world.galera()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_nothing_acknowledged_is_lost_and_the_farm_comes_back(kind: str, seed: int) -> None:
    data, arbiter = KINDS[kind]
    chance = random.Random(f"{kind} {seed}")
    world = World(chance, data=data, arbiter=arbiter)
    for _ in range(300):
        if chance.random() < 0.3:
            something_happens(world, chance)
        a_round(world, chance)
    world.cuts.clear()
    for node in world.all:
        world.power_on(node)
    rounds = 0
    while not world.whole():
        a_round(world, chance)
        rounds += 1
        assert rounds < 400, f"does not come back: {[(n.name, n.phase, n.view) for n in world.all]}"
    world.write()


def asks_and_acts(world: World, node: Node) -> None:
    for other in world.data:
        if other is not node:
            world.hear(node, other)
    world.step(node)


def test_an_old_view_does_not_come_back_after_another_has_founded() -> None:
    world = World(random.Random(1), data=2, arbiter=False)
    first, second = world.data
    world.leave(first)
    world.step(second)
    assert second.saved == second.settled, "alone, and it may be again"
    world.crash(second)
    for node in (second, first, second, first, first, first):
        asks_and_acts(world, node)
    assert first.phase is Phase.MEMBER, "of equals the first by name founds"
    world.cuts.add(frozenset({"a", "b"}))
    while world.acknowledged == 0:
        world.write()
    for _ in range(40):
        asks_and_acts(world, second)
        world.galera()
    assert second.phase is Phase.STOPPED
