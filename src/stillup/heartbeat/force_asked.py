"""The control socket's ``force``: a person declares servers dead at this balancer.

``{"op": "force", "dead": ["lb2", "web1"], "address": null, "go": false}``

* ``dead``: the servers, by name; none takes an earlier declaration back.
* ``address``: one virtual IP, or null for all of them.
* ``go``: without it nothing is done, and the answer is only what it would risk.

Answer: ``{"addresses": [...], "dead": [...], "risks": [sentences], "forced": whether it is done}``.
Refused, with a sentence, as ``force.refusal`` says. Whether the address is held then: ``status``.
"""

from collections.abc import Sequence
from typing import Protocol

from stillup.heartbeat.control import Refused
from stillup.heartbeat.events import DeclaredDead
from stillup.heartbeat.force import risks
from stillup.heartbeat.settings_reader import Json


class HasNode(Protocol):
    """A seat, as far as it is asked here."""

    @property
    def address(self) -> str:
        """Its virtual IP."""

    def why_not_dead(self, servers: Sequence[str]) -> str | None:
        """Return why these servers cannot be declared dead; None if they can."""

    def handle(self, event: DeclaredDead) -> bool:
        """Hand an event to the node."""


def force(name: str, seats: Sequence[HasNode], question: dict[str, Json]) -> dict[str, Json]:
    """Answer the question.

    Args:
        name: This server.
        seats: The seats it is about.
        question: As it was asked.

    Raises:
        Refused: If it is no such question, or must not be done.
    """
    dead, go = _dead(question), question.get("go", False)
    if not isinstance(go, bool):
        raise Refused("go: must be true or false")
    for seat in seats if dead else ():
        refusal = seat.why_not_dead(dead)
        if refusal is not None:
            raise Refused(refusal)
    for seat in seats if go or not dead else ():
        seat.handle(DeclaredDead(frozenset(dead)))
    addresses = [seat.address for seat in seats]
    return {
        "addresses": [*addresses],
        "dead": [*dead],
        "risks": [*risks(name, dead, " and ".join(addresses))] if dead else [],
        "forced": go and bool(dead),
    }


def _dead(question: dict[str, Json]) -> list[str]:
    dead = question.get("dead")
    if not isinstance(dead, list) or not all(isinstance(server, str) for server in dead):
        raise Refused("dead: must be a list of servers' names; an empty one takes it back")
    return sorted({str(server) for server in dead})
