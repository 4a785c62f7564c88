"""Three servers with every role each, under load: any one may die, be cut off, or all at once.

Longer, and on any farm: ``python -m tests.lab.endurance``.
"""

from collections.abc import Iterator

import pytest
from tests.lab.enduring import Enduring, enduring
from tests.lab.figures import figure
from tests.lab.running import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enduring]:
    folder = tmp_path_factory.mktemp("trio")
    with enduring(
        ROOT / "examples/trio.toml", folder, lambda text: figure(f"trio: {text}")
    ) as farm:
        yield farm


def test_any_one_server_may_die_while_rows_files_and_a_session_are_written(trio: Enduring) -> None:
    assert [broken for name in trio.names for broken in trio.lose(name)] == []


def test_one_that_is_cut_off_takes_no_write(trio: Enduring) -> None:
    assert trio.cut(trio.names[0]) == []


def test_after_all_lost_their_power_the_farm_comes_back_by_itself(trio: Enduring) -> None:
    assert trio.lose_all(seed=4) == []
