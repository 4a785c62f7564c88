"""Three servers with every role each, under load: one dies for good, one stops to keep data, one joins.

Nobody is told of any of it by more than the farm file and ``apply``.
"""

from collections.abc import Iterator

import pytest
from tests.lab.enduring import Enduring, enduring
from tests.lab.figures import figure
from tests.lab.running import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(1200)]

ALL = '"balancer", "web", "storage", "database"'
NO_DATA = '"balancer", "web"'


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enduring]:
    folder = tmp_path_factory.mktemp("three")
    with enduring(
        ROOT / "examples/trio.toml", folder, lambda text: figure(f"three data servers: {text}")
    ) as farm:
        yield farm


def test_one_that_died_is_replaced_by_an_empty_one_of_its_name(trio: Enduring) -> None:
    assert trio.replace("two") == []


def test_three_become_two_and_a_third_vote(trio: Enduring) -> None:
    def without_the_last(text: str) -> str:
        head, _, tail = text.rpartition(ALL)
        return head + NO_DATA + tail

    assert trio.change("three becomes the third vote", without_the_last) == []
    assert trio.lose("three") == []


def test_two_and_a_third_vote_become_three(trio: Enduring) -> None:
    def with_a_fourth(text: str) -> str:
        return f'{text.rstrip()}\nfour  = {{ address = "10.0.0.5", roles = [{ALL}] }}\n'

    assert trio.change("four keeps data, too", with_a_fourth) == []
    assert trio.lose("two") == []
