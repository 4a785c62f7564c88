"""A visitor of the example site: a browser's cookies, and what the page says."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.lab.running import RunningLab


@dataclass(frozen=True)
class Page:
    """An answer: its status, its head in small letters, its text."""

    status: int
    head: str
    text: str

    @property
    def web(self) -> str:
        """Which web server answered."""
        return self._of(r"x-web: (\S+)", self.head)

    @property
    def visits(self) -> int:
        """How often this session has seen the page, as it says itself."""
        return int(self._of(r'id="visits">(\d+)<', self.text))

    @property
    def proof(self) -> str:
        """The form's hidden proof."""
        return self._of(r'name="proof" value="(\w+)"', self.text)

    def _of(self, pattern: str, text: str) -> str:
        found = re.search(pattern, text)
        assert found is not None, f"{pattern} is not in {self.status} {text!r}"
        return found[1]


@dataclass(frozen=True)
class Visitor:
    """curl on the LAN, with a jar of cookies of its own."""

    lab: RunningLab
    jar: Path

    def get(self, path: str = "/", *words: str) -> Page:
        """Ask the virtual IP for a page; words are more of curl's own."""
        address = f"http://{self.lab.farm.vip.addresses[0]}{path}"
        return self.ask(address, *words)

    def ask(self, address: str, *words: str) -> Page:
        """Ask for a page by its whole address."""
        cookies = ("--cookie", str(self.jar), "--cookie-jar", str(self.jar))
        told = self.lab.client("curl", "-sS", "-i", "--max-time", "20", *cookies, *words, address)
        # Python reads "\r\n" as "\n".
        head, _, text = told.stdout.partition("\n\n")
        return Page(int(head.split()[1]), head.lower(), text)

    def write(self, name: str, words: str) -> Page:
        """Send the guest book's form, as it was shown."""
        fields = {"proof": self.get().proof, "name": name, "words": words}
        data = [
            word for key, value in fields.items() for word in ("--data-urlencode", f"{key}={value}")
        ]
        return self.get("/", *data)
