"""What a client on the LAN was answered, and what that says of an outage (pure).

The client asks in an open loop: each request has an intended time, and is sent then whether
or not the ones before were answered, so a farm that stalls is charged for every request it
should have answered. Times are CLOCK_MONOTONIC seconds of this host, which the machines and
the tests share.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stillup.node.message import Json, JsonObject

GOOD = "200"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was meant to be sent, was sent and was over, and how it ended."""

    intended_s: float
    sent_s: float
    done_s: float
    outcome: str
    """The HTTP status as text, or ``refused``, ``reset``, ``timed out``, ``no route``, ``cut short``."""
    balancer: str
    web: str

    @property
    def good(self) -> bool:
        """Say whether the page came."""
        return self.outcome == GOOD

    def as_json(self) -> Json:
        """Return it as a JSON array, for the line it travels in."""
        return [
            self.intended_s,
            self.sent_s,
            self.done_s,
            self.outcome,
            self.balancer,
            self.web,
        ]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a span of time cost the client; durations in seconds."""

    asked: int
    failed: int
    outage_s: float
    """The longest time between two good answers that follow each other; 0 with fewer than two."""
    outage_from_s: float
    failures: tuple[tuple[str, int], ...]
    late_s: float
    """How late the client itself was at worst: what is shorter than this was not measured."""
    balancers: tuple[str, ...]
    """Who answered, in the order of their first answer."""

    def as_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "requests": self.asked,
            "failed": self.failed,
            "failures": dict(self.failures),
            "outage_ms": round(self.outage_s * 1000, 1),
            "client_late_ms": round(self.late_s * 1000, 1),
            "balancers": [*self.balancers],
        }


def cost(answers: Sequence[Answer]) -> Cost:
    """Return what these answers, in any order, say of the farm."""
    good = sorted((answer for answer in answers if answer.good), key=lambda one: one.done_s)
    gaps = [(later.done_s - earlier.done_s, earlier.done_s) for earlier, later in pairwise(good)]
    outage_s, outage_from_s = max(gaps, default=(0.0, 0.0))
    failures = Counter(answer.outcome for answer in answers if not answer.good)
    return Cost(
        asked=len(answers),
        failed=failures.total(),
        outage_s=outage_s,
        outage_from_s=outage_from_s,
        failures=tuple(sorted(failures.items())),
        late_s=max((answer.sent_s - answer.intended_s for answer in answers), default=0.0),
        balancers=tuple(dict.fromkeys(answer.balancer for answer in good)),
    )


def parse(line: str) -> Answer:
    """Return the answer that ``Answer.as_json`` wrote as a line.

    Raises:
        ValueError: If it is no such line.
    """
    import json

    intended_s, sent_s, done_s, outcome, balancer, web = json.loads(line)
    return Answer(intended_s, sent_s, done_s, outcome, balancer, web)
