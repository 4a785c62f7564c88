"""What a violation is told as: a scenario that shows it again, with nothing needless in it."""

from functools import cache

import pytest

from stillup.heartbeat.simulator.campaign import (
    Explained,
    Trials,
    Violation,
    attempt,
    caught_at,
    explain,
)
from stillup.heartbeat.simulator.luck import seeded
from stillup.heartbeat.simulator.mutants import MUTANTS
from stillup.heartbeat.simulator.recorder import Recorder
from stillup.heartbeat.simulator.scenario import perform
from stillup.heartbeat.simulator.shrink import shrunk
from stillup.heartbeat.simulator.trial import Plan, run
from stillup.heartbeat.simulator.world import Deserted, TwoHolders

SEEDS = range(400)


def first_violation(trials: Trials) -> Violation:
    _, violation = attempt(SEEDS, trials)
    assert violation is not None, f"{trials.mutant} went through {len(SEEDS)} trials"
    return violation


@cache
def explained(mutant: str) -> Explained:
    trials = Trials(mutant=mutant)
    return explain(first_violation(trials), trials)


@pytest.mark.slow
@pytest.mark.parametrize("replays", [False, True], ids=["as they are", "with replays"])
@pytest.mark.parametrize("mutant", ["speaks at once", "counts a vote twice", "holds too long"])
def test_what_was_written_down_shows_the_same_event_by_event(*, mutant: str, replays: bool) -> None:
    trials = Trials(replays=replays, mutant=mutant)
    violation = first_violation(trials)
    recorder = Recorder()
    with pytest.raises((TwoHolders, Deserted)) as raised:
        run(seeded(violation.seed), trials.build, trials.spy, Plan(world=recorder.world))

    played = perform("\n".join(recorder.commands()), seeded(0), trials.build)

    assert (played.violation, played.story) == (violation.kind, str(raised.value))


def test_a_violation_is_told_in_fewer_commands_that_show_it_again() -> None:
    trials = Trials(mutant="holds too long")

    told = explained("holds too long")

    assert told.commands < told.of
    assert " both hold\n" in told.text
    again = perform(told.text, seeded(0), trials.build)
    assert again.violation == "TwoHolders"
    assert again.text.strip() in told.text


def test_the_real_core_does_not_break_in_a_mutants_scenario() -> None:
    told = explained("holds too long")

    assert perform(told.text, seeded(0)).violation is None


def test_a_missing_holder_is_a_violation_too() -> None:
    text = "farm lease=0.5 candidates=lb1,lb2 others=db1\n\nstart lb1 lb2\n\nrun 0.1\nanswered\n"

    played = perform(text, seeded(0))

    assert played.violation == "Deserted"
    assert played.text.splitlines()[-1] == "  0.1000 BROKEN: nobody holds, though somebody could"


def test_shrinking_leaves_out_what_is_not_needed_and_rounds_the_instants() -> None:
    whole = ["farm", "until 1.23456", "a", "b", "until 2.34567", "c", "until 3.45678"]

    least = shrunk(whole, lambda commands: "a" in commands and "c" in commands)

    assert least == ["farm", "until 1.23", "a", "until 2.35", "c"]


def test_shrinking_ends_in_bounded_time() -> None:
    asked = 0

    def shows(_: object) -> bool:
        nonlocal asked
        asked += 1
        return False

    whole = ["farm", *(f"command {number}" for number in range(500))]
    assert shrunk(whole, shows, most_tries=50) == whole
    assert asked == 50


def test_a_mutant_that_is_found_names_its_seed() -> None:
    seed = caught_at("holds too long", 100)

    assert seed is not None
    with pytest.raises(TwoHolders):
        run(seeded(seed), MUTANTS["holds too long"])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("farm lease=1", "farm: candidates= is missing"),
        ("farm lease=1 candidates=a\nkill b", "kill b: there is no server 'b'"),
        ("farm lease=1 candidates=a\nweather rain=1", "weather: there is no rain"),
        ("farm lease=1 candidates=a\nfreeze a after", "freeze a after: no such command"),
    ],
)
def test_a_wrong_command_is_named(command: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        perform(command, seeded(0))
