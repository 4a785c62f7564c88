"""Pulls the plug of a machine while a client asks through the virtual IP, and says what it cost."""

import time
from dataclasses import dataclass

from stillup.errors import LabFailed
from stillup.lab.answers import Answer, Cost, cost
from stillup.lab.asker import asking
from stillup.lab.lab import Lab

_BEFORE_S = 1.0
_AFTER_S = 4.0


@dataclass(frozen=True, slots=True)
class Failing:
    """What one power failure cost the client."""

    server: str
    cost: Cost
    answered_after_by: str
    """The balancer that answered at the end."""


def fail(lab: Lab, server: str | None = None) -> Failing:
    """Power ``server`` off under load and return what that cost; it stays off.

    Args:
        lab: A lab whose farm serves.
        server: Which; None for the balancer that holds the virtual IP.

    Raises:
        LabFailed: If the farm did not serve before, or serves no more afterwards.
    """
    with asking(lab, lab.farm.balancer.check) as client:
        failed = server or client.balancer
        time.sleep(_BEFORE_S)
        lab.power(failed, on=False)
        time.sleep(_AFTER_S)
        answers = client.stop()
    return Failing(failed, cost(answers), _last_balancer(answers))


def _last_balancer(answers: list[Answer]) -> str:
    ended_s = max(answer.intended_s for answer in answers)
    last = max((answer for answer in answers if answer.good), key=lambda one: one.done_s)
    if last.done_s < ended_s - _AFTER_S / 2:
        raise LabFailed("the farm answers no more through the virtual IP; ask `status` why")
    return last.balancer
