"""Many seeded trials: never two holders, and always one again soon after the faults end.

``SEEDS=100000`` runs that many; ``SEEDS=4711:4712`` runs one again. What fails says its seed and
tells its story.
"""

import os
from random import Random

import pytest

from stillup.heartbeat.core import Node
from stillup.heartbeat.simulator.mutants import HARMLESS, MUTANTS
from stillup.heartbeat.simulator.spy import Spy
from stillup.heartbeat.simulator.trial import Deserted, Outcome, bound_s, run
from stillup.heartbeat.simulator.world import Build, Spinning, TwoHolders

CHUNKS = 8
STORY_LINES = 80


def seeds() -> range:
    first, _, end = os.environ.get("SEEDS", "0:480").rpartition(":")
    return range(int(first or 0), int(end))


def chunk(number: int) -> range:
    return seeds()[number::CHUNKS]


def trial(seed: int, build: Build = Node, spy: Spy | None = None) -> Outcome:
    try:
        return run(Random(seed), build, spy)
    except (TwoHolders, Deserted, Spinning) as error:
        story = "\n".join(str(error).splitlines()[-STORY_LINES:])
        what = type(error).__name__
    pytest.fail(f"seed {seed}: {what}; run it again with SEEDS={seed}:{seed + 1}\n{story}")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(CHUNKS))
def test_never_two_holders_and_one_again_soon(number: int) -> None:
    outcomes = [trial(seed) for seed in chunk(number)]

    # A trial in which nothing moves or nobody could hold shows little; most must show more.
    if len(outcomes) >= 50:
        assert sum(outcome.moves for outcome in outcomes) > 3 * len(outcomes)
        shown = [outcome for outcome in outcomes if outcome.recovered_s is not None]
        assert len(shown) > len(outcomes) / 2


@pytest.mark.slow
def test_replayed_datagrams_change_nothing() -> None:
    for seed in seeds()[:60]:
        trial(seed, spy=Spy(share=0.2))


FIRST_SEEDS = {
    "measures from the offer": 5000,
    "takes it again": 3370,
    "counts old votes": 930,
    "tells before it lets go": 355,
    "speaks early": 180,
    "counts from the last answer": 150,
}
"""Where looking begins for those that are found late when it begins at 0: a little before."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_the_core_is_found(name: str) -> None:
    first = FIRST_SEEDS.get(name, 0)
    for seed in range(first, first + 3000):
        try:
            run(Random(seed), MUTANTS[name])
        except TwoHolders:
            return
        except (Deserted, Spinning):
            continue
    pytest.fail(f"a node that {name} went through 3000 trials without being found")


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_safety_does_not_rest_on_ballots_or_manners(name: str) -> None:
    """The other side of the argument in core.py: what it does not use may be broken."""
    for seed in range(60):
        try:
            run(Random(seed), HARMLESS[name])
        except (Deserted, Spinning):
            continue


def test_a_trial_is_a_function_of_its_seed() -> None:
    assert run(Random(7)) == run(Random(7))


def test_the_bound_is_what_the_documentation_says() -> None:
    assert bound_s(0.5) == pytest.approx(0.5 / 0.99 + 0.1)
