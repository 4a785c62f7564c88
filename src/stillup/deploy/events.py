"""What an apply, a release or a drain tells while it works: values, printed by the CLI."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stillup.deploy.plan import Plan
from stillup.deploy.steps import Step


@dataclass(frozen=True, slots=True)
class Reached:
    """Sessions are open and locked; ``unreached`` says why the others are not."""

    servers: tuple[str, ...]
    unreached: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """Every server was compared and this is what will be done."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Began:
    """A step begins."""

    step: Step


@dataclass(frozen=True, slots=True)
class Told:
    """A server tells how far it is."""

    server: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A step is done."""

    step: Step
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """A step failed, or the user asked to stop: what is done, and what is left as it was."""

    done: tuple[str, ...]
    left: tuple[str, ...]


Event: TypeAlias = Reached | Planned | Began | Told | Done | Stopped
Report: TypeAlias = Callable[[Event], None]
