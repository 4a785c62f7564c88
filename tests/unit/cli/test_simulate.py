"""``stillup simulate``: what it tells, what it writes, how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stillup.cli.main import run

SCENARIOS = Path(__file__).resolve().parents[2] / "simulation/scenarios"
MUTANT = "holds too long"


def test_seeds_without_a_violation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--seeds", "5", "--from", "3", "--jobs", "1", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == {"from": 3, "to": 7, "tried": 5}
    assert told["violation"] is None
    assert sum(told["servers"].values()) == 5
    assert sum(told["faults"].values()) > 5
    assert told["virtual_s"] > 5


def test_the_size_of_the_farms_is_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--seeds", "3", "--jobs", "1", "--servers", "5"]) == 0

    assert "farms: 3 (3 of 5 servers)" in capsys.readouterr().out


def test_a_violation_is_told_and_written_and_can_be_played_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.txt"
    wrong = ["simulate", "--mutant", MUTANT]

    assert run([*wrong, "--seeds", "60", "--jobs", "2", "--out", str(file)]) == 3
    told = capsys.readouterr().out
    assert "two servers answered for the address at once" in told
    assert f"{file} shows it again" in told
    assert run([*wrong, "--scenario", str(file)]) == 3
    assert "both hold" in capsys.readouterr().out


def test_a_scenario_that_comes_out_as_its_file_says(capsys: pytest.CaptureFixture[str]) -> None:
    file = SCENARIOS / "daemon_killed.txt"

    assert run(["simulate", "--scenario", str(file)]) == 0
    assert capsys.readouterr().out == file.read_text()


def test_a_scenario_that_comes_out_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.txt"
    file.write_text((SCENARIOS / "daemon_killed.txt").read_text().replace("lb2 holds", "lb1 holds"))

    assert run(["simulate", "--scenario", str(file)]) == 1
    assert "what came of it is not what the file says" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["change", "calm-change", "witness", "dead"])
def test_other_trials_than_those_of_a_farm_as_it_is(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", "--what", what, "--seeds", "3", "--jobs", "1"]) == 0

    assert "seeds 0 to 2: no violation\n  3 trials in" in capsys.readouterr().out


def test_what_breaks_in_another_trial_is_told_event_by_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.txt"
    words = ["simulate", "--mutant", "changes the balancers in one step", "--out", str(file)]

    assert run([*words, "--seeds", "300", "--jobs", "2"]) == 3

    assert "has what happened:" in capsys.readouterr().out
    assert "What happened, event by event:" in file.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--servers", "1-3"], "--servers: "),
        (["--servers", "many"], '--servers: "many" is not like 5 or 2-6'),
        (["--seeds", "0"], "--seeds: must be at least 1"),
        (["--jobs", "0"], "--jobs: must be at least 1"),
        (["--mutant", "holds to long"], 'did you mean "holds too long"?'),
        (["--scenario", "/nowhere"], "/nowhere: the scenario cannot be read: No such file"),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_scenario_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.txt"
    file.write_text("farm lease=1 candidates=a\n\ndance a\n")

    assert run(["simulate", "--scenario", str(file)]) == 2
    assert f"{file}: dance a: no such command" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_says_how_far_it_came() -> None:
    argv = [sys.executable, "-m", "stillup", "simulate", "--seeds", "1000000", "--jobs", "1"]
    reader, writer = os.openpty()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=writer, text=True) as started:
        os.close(writer)
        said = b""
        # The first word on the terminal comes after the first seeds.
        while b"seeds" not in said:
            said += os.read(reader, 1000)
        started.send_signal(signal.SIGINT)
        told, _ = started.communicate(timeout=30)
        os.close(reader)

    assert started.returncode == 130
    assert told.startswith("stopped: ")
    assert "of 1,000,000 seeds, no violation in them" in told
    assert "faults: " in told
