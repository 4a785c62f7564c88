"""The control socket's question ``force``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stillup.heartbeat.control import Refused
from stillup.heartbeat.events import DeclaredDead
from stillup.heartbeat.force_asked import force


@dataclass
class Seat:
    """A seat that notes what it is told."""

    address: str = "10.0.0.1"
    refusal: str | None = None
    told: list[DeclaredDead] = field(default_factory=list)

    def why_not_dead(self, servers: Sequence[str]) -> str | None:
        return self.refusal

    def handle(self, event: DeclaredDead) -> bool:
        self.told.append(event)
        return False


def test_without_go_it_only_tells_what_would_be_risked() -> None:
    seat = Seat()
    told = force("lb1", [seat], {"op": "force", "dead": ["lb2", "lb2"]})
    assert (told["forced"], told["dead"], seat.told) == (False, ["lb2"], [])
    risks = told["risks"]
    assert isinstance(risks, list)
    assert risks[0] == (
        "lb1 will hold 10.0.0.1 without the votes of lb2, which you declare dead."
    )  # fmt: skip


def test_with_go_every_seat_is_told() -> None:
    seats = [Seat(), Seat("10.0.0.11")]
    told = force("lb1", seats, {"op": "force", "dead": ["web1", "lb2"], "go": True})
    assert told["forced"] is True
    assert told["addresses"] == ["10.0.0.1", "10.0.0.11"]
    assert [seat.told for seat in seats] == [[DeclaredDead(frozenset({"web1", "lb2"}))]] * 2


def test_one_that_refuses_keeps_all_from_being_told() -> None:
    seats = [Seat(), Seat(refusal="lb2 was heard 0.1 s ago, so it is not dead")]
    with pytest.raises(Refused, match="lb2 was heard"):
        force("lb1", seats, {"op": "force", "dead": ["lb2"], "go": True})
    assert seats[0].told == []


def test_naming_nobody_takes_it_back() -> None:
    seat = Seat(refusal="whatever")
    assert force("lb1", [seat], {"op": "force", "dead": []})["forced"] is False
    assert seat.told == [DeclaredDead(frozenset())]


@pytest.mark.parametrize(
    "question", [{}, {"dead": "lb2"}, {"dead": [1]}, {"dead": None}, {"dead": ["lb2"], "go": 1}]
)
def test_what_is_no_such_question_is_refused(question: dict[str, object]) -> None:
    with pytest.raises(Refused, match=r"^(dead|go): must be"):
        force("lb1", [Seat()], question)  # type: ignore[arg-type] # it comes from anybody
