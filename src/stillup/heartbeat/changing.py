"""A change of who votes, as the settings tell a daemon of it: one key, ``change``.

While the farm's servers, balancers or lease change, every daemon is told the electorate before and the
one after, and at which stage of the change it is (``membership.py`` has the stages and why they
are safe). The key outweighs the settings' own ``voters``, ``candidates``, ``lease_ms`` and
``witness``: those may already be of after, or still of before.

    "change": {"stage": "before"|"joint"|"settled"|"after", "old": SIDE, "new": SIDE}

with ``SIDE = {"voters": {name: address}, "candidates": [name], "lease_ms": n, "witness"?: address}``.
"""

import enum
from dataclasses import dataclass

from stillup.heartbeat.membership import Configuration, stages
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.settings_reader import Json, Reader

LEASE_MS = (100, 10_000)


class Stage(enum.Enum):
    """How far a change has come at one server; they follow each other in this order."""

    BEFORE = "before"
    JOINT = "joint"
    SETTLED = "settled"
    AFTER = "after"

    @property
    def place(self) -> int:
        """Its place in the order, from 0."""
        return list(Stage).index(self)


@dataclass(frozen=True, slots=True)
class Side:
    """Who takes part before a change, or after it.

    Args:
        voters: Every server's address by its name.
        candidates: The balancers' names, in order of rank.
        lease_s: How long a vote lasts, in seconds.
        witness: The address that two balancers alone may ping; None for none.
    """

    voters: dict[str, str]
    candidates: tuple[str, ...]
    lease_s: float
    witness: str | None = None

    @property
    def electorate(self) -> Electorate:
        """The same for the core; raises ValueError where its quorums would not be sound."""
        return Electorate(tuple(self.voters), self.candidates, self.lease_s, self.witness)

    def as_json(self) -> dict[str, Json]:
        """Return it as it stands in the settings."""
        told: dict[str, Json] = {
            "voters": dict(self.voters),
            "candidates": list(self.candidates),
            "lease_ms": round(self.lease_s * 1000),
        }
        return told if self.witness is None else {**told, "witness": self.witness}


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is under way, as one server sees it."""

    stage: Stage
    old: Side
    new: Side

    @property
    def configuration(self) -> Configuration:
        """What the daemon goes by at this stage."""
        joint, settled, after = stages(self.old.electorate, self.new.electorate)
        at = {Stage.JOINT: joint, Stage.SETTLED: settled, Stage.AFTER: after}
        return at.get(self.stage) or Configuration(self.old.electorate)

    @property
    def side(self) -> Side:
        """Whom the daemon speaks with, and who may be a candidate, at this stage."""
        if self.stage is Stage.BEFORE:
            return self.old
        if self.stage is Stage.AFTER:
            return self.new
        names = dict.fromkeys((*self.new.candidates, *self.old.candidates))
        voters = {**self.old.voters, **self.new.voters}
        return Side(voters, tuple(names), self.new.lease_s, self.new.witness)

    def as_json(self) -> dict[str, Json]:
        """Return it as it stands in the settings."""
        return {
            "stage": self.stage.value,
            "old": self.old.as_json(),
            "new": self.new.as_json(),
        }


def change(reader: Reader) -> Change | None:
    """Return the change that the settings tell of; None for none.

    Problems are noted with the reader, and the change is then of no use.
    """
    value = reader.values.get("change")
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        reader.problems.append("change: must be an object, or null for no change")
        return None
    inner = Reader(value)
    word = inner.text("stage")
    stage = next((stage for stage in Stage if stage.value == word), None)
    if word and stage is None:
        words = ", ".join(stage.value for stage in Stage)
        inner.problems.append(f"stage: must be one of {words}")
    found = Change(stage or Stage.BEFORE, _side(inner, "old"), _side(inner, "new"))
    if not inner.problems:
        try:
            _ = found.configuration
        except ValueError as error:
            inner.problems.append(f"{error}")
    reader.within("change", inner)
    return found if not inner.problems else None


def _side(reader: Reader, key: str) -> Side:
    value = reader.values.get(key)
    if not isinstance(value, dict):
        reader.problems.append(f"{key}: must be an object with voters, candidates and lease_ms")
        return Side({}, (), 0.0)
    inner = Reader(value)
    side = Side(
        inner.addresses("voters"),
        inner.names("candidates"),
        inner.number("lease_ms", *LEASE_MS, 500) / 1000,
        inner.ip("witness") if value.get("witness") is not None else None,
    )
    reader.within(key, inner)
    return side
