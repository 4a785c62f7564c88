"""Many seeded trials of what changes whose votes count: membership, a witness, the declared dead.

``SEEDS=100000`` runs that many of each; ``SEEDS=4711:4712`` runs one again.
"""

import os
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from stillup.heartbeat.simulator import change_trial, force_trial, witness_trial
from stillup.heartbeat.simulator.change import Kind
from stillup.heartbeat.simulator.change_trial import How, direct
from stillup.heartbeat.simulator.luck import Luck
from stillup.heartbeat.simulator.vote_mutants import VOTE_MUTANTS
from stillup.heartbeat.simulator.world import Deserted, Spinning, TwoHolders

STORY_LINES = 80
MUTANT_SEEDS = 3000
FIRST_SEEDS = {
    "counts the old side only": 1110,
    "shortens what it lent": 195,
    "does not wait before the last stage": 220,
    "buries the dying": 630,
}
"""Where looking begins for those that are found late when it begins at 0: a little before."""


def seeds() -> range:
    first, _, end = os.environ.get("SEEDS", "0:100").rpartition(":")
    return range(int(first or 0), int(end))


def run(seed: int, trial: Callable[[Luck], object]) -> object:
    try:
        return trial(Random(seed))
    except (TwoHolders, Deserted, Spinning) as error:
        story = "\n".join(str(error).splitlines()[-STORY_LINES:])
        what = type(error).__name__
    pytest.fail(f"seed {seed}: {what}; run it again with SEEDS={seed}:{seed + 1}\n{story}")


@pytest.mark.slow
def test_never_two_holders_while_the_electorate_changes_and_things_go_wrong() -> None:
    kinds = Counter(run(seed, change_trial.run) for seed in seeds())
    if len(seeds()) >= 100:
        assert set(kinds) == set(Kind)


@pytest.mark.slow
def test_a_change_that_nothing_disturbs_leaves_nobody_unanswered() -> None:
    for seed in seeds():
        run(seed, lambda luck: change_trial.run(luck, how=How(faults=False)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [Kind.VOTER_ADDED, Kind.VOTER_REMOVED, Kind.LEASE_LONGER, Kind.LEASE_SHORTER]
)
def test_one_voter_that_is_no_balancer_or_a_lease_may_change_without_stages(kind: Kind) -> None:
    how = How(kinds=(kind,), stages=direct)
    for seed in seeds()[:40]:
        run(seed, lambda luck: change_trial.run(luck, how=how))


@pytest.mark.slow
def test_never_two_holders_with_a_witness() -> None:
    for seed in seeds():
        run(seed, witness_trial.run)


@pytest.mark.slow
def test_a_witness_does_not_protect_two_that_are_cut_from_each_other_alone() -> None:
    """What check and the documentation say of it is so."""
    found = 0
    for seed in range(100):
        try:
            witness_trial.run(Random(seed), cut_between=True)
        except TwoHolders:
            found += 1
    assert found > 10


@pytest.mark.slow
def test_never_two_holders_when_the_declared_dead_are_dead() -> None:
    for seed in seeds():
        run(seed, force_trial.run)


@pytest.mark.slow
@pytest.mark.parametrize("name", VOTE_MUTANTS)
def test_a_fault_in_what_counts_is_found(name: str) -> None:
    first = FIRST_SEEDS.get(name, 0)
    for seed in range(first, first + MUTANT_SEEDS):
        try:
            VOTE_MUTANTS[name](Random(seed))
        except TwoHolders:
            return
        except (Deserted, Spinning):
            continue
    pytest.fail(f"a core that {name} went through {MUTANT_SEEDS} trials without being found")
