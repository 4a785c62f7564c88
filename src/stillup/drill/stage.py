"""What a drill is played on: a farm, the ways to it, and who pulls its plugs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stillup.deploy.events import Told
from stillup.drill.power import Power
from stillup.drill.programs import Wrap
from stillup.model.farm import Farm, Secrets
from stillup.servers.connection import Access

Say = Callable[[str], None]
"""Is told what happens, a sentence at a time."""


@dataclass(frozen=True)
class Stage:
    """Everything outside of the drill itself."""

    farm: Farm
    secrets: Secrets = field(repr=False)
    source: Path
    """The site's folder: planned changes release it."""
    access: Access
    power: Power | None
    """Who pulls plugs and cables; None where only the servers themselves can."""
    as_user: Wrap
    """How a program is started so that it runs where a user would be, on the LAN."""
    say: Say
    share: float = 1.0
    """How much of the usual pace users ask with."""

    def tell(self, told: Told) -> None:
        """Say what a change tells of a server."""
        self.say(f"{told.server}: {told.text}")
