"""A drill's pages in a test: brought to a farm's web servers, asked as a user, taken away."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.lab.running import RunningLab

from stillup.deploy.session import Sessions, open_all
from stillup.drill.history import Copies
from stillup.drill.probes import Probes
from stillup.lab.access import lab_access

T = TypeVar("T")


@dataclass(frozen=True)
class Probing:
    """The pages of one drill at one farm."""

    running: RunningLab
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def probes(self) -> Probes:
        return Probes(self.running.farm, self.token)

    def install(self, seconds: int) -> None:
        self._do(lambda sessions: self.probes.install(sessions, seconds))

    def remove(self) -> None:
        self._do(self.probes.remove)

    def kept(self) -> tuple[Copies, ...]:
        return self._do(self.probes.kept)

    def ask(self, page: str, *words: str) -> tuple[int, str]:
        """Return status and text of a page, asked through the virtual IP; 0 for no answer."""
        url = f"http://{self.running.farm.vip.first}{self.probes.path}{page}"
        words = ("-sS", "--max-time", "10", "-w", "\n%{http_code}", *words, url)
        text, _, status = self.running.client("curl", *words, check=False).stdout.rpartition("\n")
        return int(status or 0), text.strip()

    def post(self, page: str) -> tuple[int, str]:
        return self.ask(page, "-X", "POST", "-H", "Content-Length: 0")

    def traces(self, server: str) -> list[str]:
        """Return every file on a server that has to do with a drill."""
        places = "/var/lib/stillup-drill /etc/systemd/system /var/lib/systemd/timers"
        return self.running.shell(
            server, f"find {places} -name '*drill*' 2>/dev/null; true"
        ).splitlines()

    def _do(self, what: Callable[[Sessions], Awaitable[T]]) -> T:
        async def do() -> T:
            access = lab_access(self.running.farm, self.running.farm_path)
            async with open_all(access, self.running.farm.servers) as sessions:
                return await what(sessions)

        return asyncio.run(do())
