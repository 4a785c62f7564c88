"""A user on HTTP/2: curl, asking at a steady pace on one connection for as long as that is good."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

A_SECOND = 20
TOLD = (
    '{"failed": "%{errormsg}", "version": "%{http_version}", "port": %{local_port}, '
    '"by": "%header{x-balancer}"}\n'
)


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Args:
        failed: curl's words; empty if it was answered.
        version: Of HTTP.
        port: The user's, which tells connections apart.
        by: The balancer.
    """

    failed: str
    version: str
    port: int
    by: str


class User:
    """The user, who asks for so many seconds.

    Args:
        enter: The words that enter the client.
        url: What to ask for; its end tells the requests apart.
        seconds: For how long.
    """

    def __init__(self, enter: Sequence[str], url: str, seconds: int) -> None:
        words = ["curl", "-s", "--insecure", "--rate", f"{A_SECOND * 60}/m", "--max-time", "5"]
        words += ["-o", "/dev/null", "-w", TOLD, f"{url}?[1-{A_SECOND * seconds}]"]
        self._process = subprocess.Popen([*enter, *words], stdout=subprocess.PIPE, text=True)
        self._patience_s = 60 + seconds

    def answers(self) -> list[Answer]:
        """Wait until it has asked everything."""
        said, _ = self._process.communicate(timeout=self._patience_s)
        return [Answer(**json.loads(line)) for line in said.splitlines()]


def went_over(answers: Sequence[Answer]) -> list[str]:
    """Return who answered, in turn; every request must have been, on a connection for each."""
    assert {(each.failed, each.version) for each in answers} == {("", "2")}
    by = list(dict.fromkeys(each.by for each in answers))
    assert len({each.port for each in answers}) == len(by)
    return by
