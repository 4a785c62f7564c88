"""What a keeper tells the others about its server, as JSON: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from stillup.keeper.seen import Phase, Position, Report
from stillup.keeper.settings import Json, Settings


@dataclass(frozen=True, slots=True)
class Words:
    """Everything one keeper says.

    Args:
        name: Whose words these are.
        report: How its MariaDB stands.
        reason: One sentence for people: what it waits for; empty if all is well.
        view: The servers with data in its group.
        size: How many its group has, with the arbiter.
        writer: Who is the writer, as its copy of the table says.
        since: Since when, UTC.
        room: Whether its disk has room for what the site writes.
    """

    name: str
    report: Report
    reason: str = ""
    view: tuple[str, ...] = ()
    size: int = 0
    writer: str | None = None
    since: str | None = None
    room: bool = True

    @property
    def usable(self) -> bool:
        """Whether the site may use this server's MariaDB."""
        return self.report.phase is Phase.MEMBER


class NotUnderstood(ValueError):
    """The words have another shape, as those of another version may."""


def is_whole(mine: Words, settings: Settings, others: Iterable["Words | None"]) -> bool:
    """Whether every database server is an up-to-date member, and the arbiter is in the group."""
    expected = 1 + len(settings.peers) + (settings.arbiter is not None)
    everyone = [mine, *others]
    return all(words is not None and words.usable for words in everyone) and mine.size == expected


def say(words: Words) -> dict[str, Json]:
    """Return the words as JSON's values."""
    report = words.report
    view: list[Json] = list(words.view)
    return {
        "name": words.name,
        "phase": report.phase.value,
        "cluster": None if report.position is None else report.position.cluster,
        "seqno": None if report.position is None else report.position.seqno,
        "founding": report.founding,
        "birth": report.birth,
        "forced": report.forced,
        "ancestors": [[point.cluster, point.seqno] for point in report.ancestors],
        "reason": words.reason,
        "usable": words.usable,
        "view": view,
        "size": words.size,
        "writer": words.writer,
        "since": words.since,
        "room": words.room,
    }


def hear(said: dict[str, Json]) -> Words:
    """Return the words that ``said`` are.

    Raises:
        NotUnderstood: If they have another shape.
    """
    try:
        report = Report(
            Phase(str(said["phase"])),
            _position(said["cluster"], said["seqno"]),
            founding=said["founding"] is True,
            birth=said["birth"] is True,
            forced=said["forced"] is True,
            ancestors=_ancestors(said["ancestors"]),
        )
        view, size = said["view"], said["size"]
        return Words(
            str(said["name"]),
            report,
            str(said["reason"]),
            tuple(str(name) for name in view) if isinstance(view, list) else (),
            size if isinstance(size, int) else 0,
            _text(said["writer"]),
            _text(said["since"]),
            room=said.get("room") is not False,  # another version may not say it
        )
    except (KeyError, ValueError) as error:
        raise NotUnderstood(f"{error}") from error


def _text(value: Json) -> str | None:
    return None if value is None else str(value)


def _position(cluster: Json, seqno: Json) -> Position | None:
    if cluster is None and seqno is None:
        return None
    if not isinstance(cluster, str) or not isinstance(seqno, int):
        raise NotUnderstood("a position without a cluster or a number")
    return Position(cluster, seqno)


def _ancestors(value: Json) -> tuple[Position, ...]:
    if not isinstance(value, list):
        raise NotUnderstood("no list of ancestors")
    points = [_position(*point) for point in value if isinstance(point, list) and len(point) == 2]
    return tuple(point for point in points if point is not None)
