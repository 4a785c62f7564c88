"""Whether visitors kept their sessions, and their web servers (pure).

A visitor asks for one page after another, and each page tells how many there were so far. A page
without an answer may have been counted or not; a count that does not go up is a session that
began anew.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from stillup.drill.history import Deed, Kind, Outcome


def lost(deeds: Iterable[Deed]) -> int:
    """Return how many times a visitor's session began anew."""
    count = 0
    for pages in _visits(deeds):
        for earlier, later in pairwise(pages):
            count += later.number <= earlier.number
    return count


def strayed(deeds: Iterable[Deed]) -> int:
    """Return how many times a visitor's next page came from another web server."""
    return sum(
        earlier.web != later.web
        for pages in _visits(deeds)
        for earlier, later in pairwise(page for page in pages if page.web)
    )


def _visits(deeds: Iterable[Deed]) -> Iterator[list[Deed]]:
    """Yield each visitor's answered pages, in order."""
    of_whom: dict[int, list[Deed]] = {}
    for deed in deeds:
        if deed.kind is Kind.SESSION and deed.outcome is Outcome.DONE:
            of_whom.setdefault(deed.visitor, []).append(deed)
    for pages in of_whom.values():
        yield sorted(pages, key=lambda deed: deed.due_s)
