"""Random faults on five daemons, two at a time: never two answer, and one does in every calm.

``SEED=4711 STORM_S=3600 pytest tests/netns/test_storm.py`` for another storm, or a longer one;
``python -m tests.storm --minutes 60 --seed 4711`` is the same by hand.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns.farm import Farm, built, whole
from tests.storm.__main__ import report
from tests.storm.play import FIVE, Storm

pytestmark = [pytest.mark.netns]

STORM_S = float(os.environ.get("STORM_S", "120"))
SEED = int(os.environ.get("SEED", "1"))


@pytest.fixture
def five(namespaces: None, tmp_path: Path) -> Iterator[Farm]:
    with built(Farm(tmp_path, servers=FIVE)) as made, whole(made):
        yield made


@pytest.mark.timeout(120 + 2 * STORM_S)
def test_a_storm_of_faults_never_has_two_answer(five: Farm, tmp_path: Path) -> None:
    storm = Storm(five, SEED, STORM_S, tmp_path / "history")

    found = storm.play()

    assert found.both == [], report(storm, found)
    assert found.unanswered == [], report(storm, found)
    assert found.moves > STORM_S / 30, report(storm, found)
