"""What a program said when it failed, shortened to what helps and without secrets (pure)."""

import re
from collections.abc import Iterable

from stillup.node.bundle import Bundle
from stillup.node.world import NOT_FOUND, OUT_OF_TIME, Ran

LINES = 3
LENGTH = 300
SHORTEST = 5
"""Words shorter than this are no secrets; hiding them would hide everything."""
TELLING = (
    re.compile(r"alert|emerg|fatal|error", re.IGNORECASE),
    re.compile(r"fail|invalid|unknown|cannot|can't|denied|not found|refused", re.IGNORECASE),
)
"""What a telling line has, the surest first."""
CHATTER = re.compile(r"\[(note|warning|notice|info)\]", re.IGNORECASE)
BOILERPLATE = re.compile(
    r"^(Job for |See \"systemctl|.*Failed with result|.*Main process exited|.*Scheduled restart)"
)
HIDDEN = "(secret)"


def secret_words(bundle: Bundle) -> frozenset[str]:
    """Return every word of the bundle that must never be shown.

    All words of secret files and of what commands get on stdin, but for the first on each
    line, which is the engine's own keyword, and for words that the bundle's other files show
    to everybody anyway.
    """
    texts = [file.text for file in bundle.files if file.secret]
    texts += [text for item in bundle.commands for text in (item.stdin, item.unless_stdin)]
    shown = "\n".join(f"{file.path} {'' if file.secret else file.text}" for file in bundle.files)
    known = {*_words(shown), *re.findall(r"[\w.-]+", shown)}
    return frozenset(
        word
        for text in texts
        for line in text.splitlines()
        for word in (_words(line)[1:] or [line.strip()])
        if len(word) >= SHORTEST and word not in known
    )


def _words(line: str) -> list[str]:
    return [word for word in re.split(r"[\s\"'`=,;()]+", line) if word]


def without(secrets: Iterable[str], text: str) -> str:
    """Return ``text`` with every secret word hidden, the longest first."""
    for word in sorted(secrets, key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text


def first_lines(ran: Ran, secrets: Iterable[str] = ()) -> str:
    """Return the first telling lines of what a program said, joined by `` / ``."""
    if ran.code == OUT_OF_TIME:
        return "it did not end in time"
    # Hidden before anything is cut, so that no half of a secret stays.
    text = without(secrets, (ran.err + b"\n" + ran.out).decode(errors="replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not BOILERPLATE.match(line)] or lines
    plain = [line for line in lines if not CHATTER.search(line)]
    sure, likely = ([line for line in plain if words.search(line)] for words in TELLING)
    telling = sure or likely or plain or lines
    shown = " / ".join(line[:LENGTH] for line in telling[:LINES])
    if not shown:
        return "no such program" if ran.code == NOT_FOUND else f"it ended with code {ran.code}"
    return shown
