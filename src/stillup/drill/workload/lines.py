"""What the program writes (pure): a line when it begins, one for each deed, one when it ended."""

import json
from dataclasses import dataclass

from stillup.drill.history import Deed, Kind, Outcome

_DIGITS = 6
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Began:
    """The first line.

    Attributes:
        wall: Wall time, ISO 8601 with seconds, UTC.
        origin_s: The monotonic clock of this machine at second 0.
    """

    wall: str
    origin_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The last line.

    Attributes:
        lasted_s: Nothing was due after that.
        cpu_s: The processor time that the program itself took.
    """

    lasted_s: float
    cpu_s: float


def began(told: Began) -> str:
    """Return the first line."""
    return json.dumps({"began": told.wall, "origin_s": told.origin_s}) + "\n"


def ended(told: Ended) -> str:
    """Return the last line."""
    return json.dumps({"lasted_s": told.lasted_s, "cpu_s": told.cpu_s}) + "\n"


def deed(done: Deed) -> str:
    """Return a deed's line."""
    times = [round(each, _DIGITS) for each in (done.due_s, done.sent_s, done.ended_s)]
    how = [done.outcome, done.status, done.balancer, done.web, done.told]
    return json.dumps([done.kind, done.number, done.visitor, *times, *how]) + "\n"


def parsed(line: str) -> Began | Deed | Ended:
    """Return what a line says.

    Raises:
        ValueError, KeyError: If it is none of these lines.
    """
    told = json.loads(line)
    if isinstance(told, list):
        kind, number, visitor, due_s, sent_s, ended_s, outcome, status, balancer, web, said = told
        return Deed(
            Kind(kind),
            number,
            due_s,
            sent_s,
            ended_s,
            Outcome(outcome),
            status,
            balancer,
            web,
            said,
            visitor,
        )
    if "began" in told:
        return Began(told["began"], told["origin_s"])
    return Ended(told["lasted_s"], told["cpu_s"])
