"""What a database keeper may do next: values only."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing; ``reason`` says for people what it waits for, and is empty when all is well."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Find out up to where the data of the stopped MariaDB go."""


@dataclass(frozen=True, slots=True)
class Join:
    """Start MariaDB as one of a primary component that is there.

    Galera's saved view is removed before: were that component gone by now, this server must not
    become primary by itself. ``afresh``: what lies here is of no use; it receives a whole copy.
    """

    reason: str
    afresh: bool = False


@dataclass(frozen=True, slots=True)
class Await:
    """Start MariaDB with Galera's saved view: it becomes primary once all of that view are back."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop MariaDB; ``hard``: it does not answer any more."""

    reason: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Declare:
    """Write down, where the others see it, that this server is about to found."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the declaration back."""


@dataclass(frozen=True, slots=True)
class Found:
    """Found the primary component anew from this server's data.

    Args:
        running: MariaDB runs, cut off: it is told to be the primary component.
        new_history: A person gave up what others may hold: the history gets a new name, so that
            nobody who went further in the old one is taken for a copy of this.
    """

    running: bool = False
    new_history: bool = False


@dataclass(frozen=True, slots=True)
class Settle:
    """Being a member, remove the marks that have served: birth, force and declaration."""


Step: TypeAlias = Rest | Read | Join | Await | Stop | Declare | Withdraw | Found | Settle
