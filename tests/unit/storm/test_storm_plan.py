"""A storm's plan and its verdict, without a farm."""

import random

from tests.storm.plan import LANES, episodes, touches
from tests.storm.verdict import Calm, verdict
from tests.wire import Sighting

BALANCERS = ["lb1", "lb2"]
SERVERS = [*BALANCERS, "web1", "web2", "db1"]


def heard(*spoken: tuple[float, str]) -> list[Sighting]:
    return [Sighting(at_s, "reply", name, name) for at_s, name in spoken]


def in_rounds(rounds: list[str]) -> list[Sighting]:
    """Return what is heard of rounds 5 ms apart, each with those who answer it."""
    return [
        Sighting(0.005 * number + 0.0001 * place, "reply", name, name, number)
        for number, names in enumerate(rounds)
        for place, name in enumerate(names.split())
    ]


def test_a_plan_has_two_faults_at_a_time_and_never_of_the_same_thing() -> None:
    most = 0
    for strikes in episodes(random.Random(1), 3600, 0.5, SERVERS, BALANCERS):
        for strike in strikes:
            others = [each for each in strikes if each.begin_s < strike.begin_s < each.end_s]
            most = max(most, 1 + len(others))
            for other in others:
                same = touches(other.kind) & touches(strike.kind)
                assert other.target != strike.target or not same
    assert most == LANES


def test_a_seed_gives_the_same_plan() -> None:
    made = [episodes(random.Random(7), 60, 0.5, SERVERS, BALANCERS) for _ in range(2)]

    assert made[0] == made[1]


def test_two_that_answer_in_turns_are_found() -> None:
    spoken = [(n * 0.005, "lb1") for n in range(100)] + [(0.3005, "lb2"), (0.3055, "lb2")]

    found = verdict(heard(*sorted(spoken)), [])

    assert not found.is_kept
    assert 0.005 < found.both_s < 0.02


def test_a_move_and_a_move_back_are_no_fault() -> None:
    spoken = [(0.0, "lb1"), (0.01, "lb2"), (0.05, "lb2"), (0.06, "lb1"), (0.2, "lb1")]

    found = verdict(heard(*spoken), [Calm(0.0, 0.2)])

    assert found.is_kept
    assert found.moves == 2


def test_who_left_a_round_to_the_other_had_let_go() -> None:
    """What a planned move at once undone looks like: soon back, but silent meanwhile."""
    rounds = ["lb1", "lb1", "lb2", "lb2", "lb1", "lb1"]

    assert verdict(in_rounds(rounds), [Calm(0.0, 0.025)]).is_kept


def test_who_answers_every_round_has_not_let_go() -> None:
    """Two that answer the same rounds, and one that speaks between two rounds of the other's."""
    both = verdict(in_rounds(["lb1", "lb1 lb2", "lb1 lb2", "lb1"]), [])
    between = [*in_rounds(["lb1"] * 4), Sighting(0.007, "announcement", "lb2", "lb2")]

    assert len(both.both) == 3
    assert not verdict(sorted(between, key=lambda seen: seen.at_s), []).is_kept


def test_a_calm_in_which_nobody_answers_for_a_while_is_found() -> None:
    assert not verdict(heard((0.0, "lb1"), (1.0, "lb1")), [Calm(0.0, 1.0)]).is_kept
