"""A node that is pictured, sent as JSON and restored is the same node."""

import json
from collections.abc import Callable
from random import Random

import pytest

from stillup.heartbeat import daemon
from stillup.heartbeat.core import Node, Settings
from stillup.heartbeat.events import Effect, Event
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.simulator.trial import run
from stillup.heartbeat.snapshot import NotUnderstood, picture, restore

ELECTORATE = Electorate(("lb1", "lb2", "db1"), ("lb1", "lb2"), 0.5)


def fresh(name: str = "lb1", electorate: Electorate = ELECTORATE) -> Node:
    return Node(Settings(name, electorate), 7, 100.0, Random(1).random)


class Reborn(Node):
    """A node that is replaced by its successor after everything that happens to it."""

    def __init__(
        self, settings: Settings, incarnation: int, now_s: float, luck: Callable[[], float]
    ) -> None:
        super().__init__(settings, incarnation, now_s, luck)
        self._made = (settings, luck)

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        settings, luck = made = vars(self).pop("_made")
        effects = super().handle(event, now_s)
        memory = Node.__new__(Node)
        vars(memory).update(vars(self))
        # An incarnation and a clock that are wrong, so that only the picture can put them right.
        successor = Node(settings, 1, now_s + 1e6, luck)
        restore(successor, json.loads(json.dumps(picture(memory))))
        vars(self).clear()
        vars(self).update(vars(successor), _made=made)
        return effects


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_farm_that_is_reloaded_all_the_time_does_the_same(seed: int) -> None:
    assert run(Random(seed), Reborn) == run(Random(seed), Node)


def test_what_a_newer_version_knows_besides_is_refused() -> None:
    pictured = picture(fresh())
    assert isinstance(pictured, dict)
    content = pictured["object"]
    assert isinstance(content, list)
    painted = content[2]
    assert isinstance(painted, dict)
    painted["_oath"] = 1
    with pytest.raises(NotUnderstood, match=r"Node\._oath is unknown"):
        restore(fresh(), pictured)


def test_what_a_newer_version_has_besides_stays_as_it_is_made() -> None:
    pictured = picture(fresh())
    node = fresh()
    node.oath = 1  # type: ignore[attr-defined] # as a newer version might have it
    restore(node, pictured)
    assert node.oath == 1  # type: ignore[attr-defined] # see above


def test_nothing_in_the_whole_daemon_has_the_name_of_what_is_pictured() -> None:
    """A class is known by its name: another one of that name anywhere would make it nobody's."""
    assert daemon.__doc__
    picture(fresh())


def test_what_cannot_be_pictured_is_said() -> None:
    node = fresh()
    node.reason = object()  # type: ignore[attr-defined] # as somebody might add it
    with pytest.raises(NotUnderstood, match="a object cannot be pictured"):
        picture(node)
