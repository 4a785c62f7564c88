"""Makes a scenario that breaks something smaller, as long as it still breaks the same thing.

First commands are left out, in ever smaller pieces (delta debugging: Zeller, Hildebrandt 2002,
"Simplifying and isolating failure-inducing input"); then the instants are rounded.
"""

from collections.abc import Callable, Sequence

Shows = Callable[[Sequence[str]], bool]
"""Whether these commands still break it."""

DIGITS = (2, 3, 4, 5)


def shrunk(commands: Sequence[str], shows: Shows, most_tries: int = 400) -> list[str]:
    """Return as few of the commands, with as round instants, as still break it.

    Args:
        commands: They break it. The first one makes the farm and stays.
        shows: Asked at most ``most_tries`` times; the best so far is returned then.
        most_tries: The bound on the work.
    """
    tries = _Tries(shows, most_tries)
    first, rest = commands[0], list(commands[1:])
    rest = _fewer(first, _grouped(rest), tries)
    return _rounder([first, *rest], tries)


def paragraphs(commands: Sequence[str]) -> str:
    """Return commands as the text of a scenario: a paragraph for each instant."""
    text = ""
    for number, command in enumerate(commands):
        begins = command.startswith("until ") or number < 2
        text += ("\n\n" if begins else "\n") + command
    return text.strip() + "\n"


class _Tries:
    """Counts how often it was asked; says no when it was asked too often."""

    def __init__(self, shows: Shows, most: int) -> None:
        self._shows = shows
        self._left = most

    def __call__(self, commands: Sequence[str]) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        return self._shows(commands)


def _grouped(commands: list[str]) -> list[tuple[str, str]]:
    """Return each command with the ``until`` before it, so that leaving some out moves none."""
    grouped = []
    until = ""
    for command in commands:
        if command.startswith("until "):
            until = command
        else:
            grouped.append((until, command))
    return [*grouped, (until, "")]


def _fewer(first: str, groups: list[tuple[str, str]], tries: _Tries) -> list[str]:
    size = max(1, len(groups) // 2)
    while True:
        at, before = 0, len(groups)
        while at < len(groups):
            candidate = groups[:at] + groups[at + size :]
            if candidate and tries([first, *_flat(candidate)]):
                groups = candidate
            else:
                at += size
        if size == 1 and len(groups) == before:
            return _flat(groups)
        size = max(1, size // 2)


def _flat(groups: list[tuple[str, str]]) -> list[str]:
    commands: list[str] = []
    last = ""
    for until, command in groups:
        if until != last:
            commands.append(until)
            last = until
        if command:
            commands.append(command)
    return commands


def _rounder(commands: list[str], tries: _Tries) -> list[str]:
    for digits in DIGITS:
        candidate = [_rounded(command, digits) for command in commands]
        if tries(candidate):
            return candidate
    return commands


def _rounded(command: str, digits: int) -> str:
    word, _, value = command.partition(" ")
    return f"{word} {round(float(value), digits)!r}" if word == "until" else command
