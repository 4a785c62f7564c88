"""The plan of every situation in ``scenarios/``; ``REWRITE=1`` writes what is planned now."""

import os
from pathlib import Path

import pytest
from tests.unit.deploy.situations import blocks, planned

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_plan_is_the_one_in_the_scenario_file(file: Path) -> None:
    scenarios = list(blocks(file.read_text()))
    assert scenarios
    if os.environ.get("REWRITE"):
        file.write_text(
            "\n\n".join(f"## {said}->\n{planned(said)}" for said, _ in scenarios) + "\n"
        )
        return
    for description, expected in scenarios:
        assert planned(description) == expected, description
