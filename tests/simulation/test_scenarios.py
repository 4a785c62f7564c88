"""The scenarios: what the farm does in each case of the design, reviewed as text."""

import os
from pathlib import Path
from random import Random

import pytest

from stillup.heartbeat.simulator.scenario import play

FOLDER = Path(__file__).parent / "scenarios"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_the_farm_does_what_the_scenario_says(path: Path) -> None:
    expected = path.read_text()

    played = play(expected, Random(1))

    if os.environ.get("REWRITE"):
        path.write_text(played)
    assert played == expected, "what came of it differs; REWRITE=1 rewrites, then review the diff"


def test_an_unknown_command_is_named() -> None:
    with pytest.raises(ValueError, match="dance lb1: no such command"):
        play("farm lease=1 candidates=lb1\n\ndance lb1", Random(1))


def test_a_command_before_the_farm_is_refused() -> None:
    with pytest.raises(ValueError, match="start: there is no farm yet"):
        play("start all", Random(1))
