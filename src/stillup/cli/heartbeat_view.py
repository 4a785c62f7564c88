"""What ``stillup heartbeat`` prints: the fate of each line, what the settings say, how it stands."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from stillup.alone.fate import Fate, Kind
from stillup.heartbeat.settings import DaemonSettings
from stillup.heartbeat.settings_reader import Json
from stillup.model.problems import joined, printable

_MOVES = 3


def told_fates(fates: Iterable[Fate]) -> str:
    """Return what becomes of each line, in the order of the files, and how many of each kind."""
    fates = list(fates)
    lines: list[str] = []
    file = ""
    for fate in fates:
        if fate.file != file:
            file = fate.file
            lines.append(f"{printable(file)}:")
        number = f"{fate.line:4}" if fate.line else "    "
        lines.append(f"{number}  {printable(fate.what):32}  {fate.kind}: {fate.text}")
    counts = [(kind, sum(fate.kind is kind for fate in fates)) for kind in Kind]
    if fates:
        lines.append(joined([f"{count} {kind}" for kind, count in counts if count]))
    return "\n".join(lines)


def summary(file: str, settings: DaemonSettings) -> str:
    """Return what the settings of this server say."""
    preferred = [f"{vip.address} ({vip.preferred or 'whichever'} first)" for vip in settings.vips]
    only = [name for name in settings.voters if name not in settings.candidates]
    role = "may hold them" if settings.is_candidate else "votes only"
    lines = [
        f"{file}: the settings of {settings.name} are right",
        f"  addresses: {joined(preferred)}",
        f"  servers: {joined(list(settings.candidates))} may hold them"
        + (f"; {joined(only)} only vote{'s' if len(only) == 1 else ''}" if only else ""),
        f"  here: {settings.name}, {settings.address} on {settings.interface}; {role}",
        f"  lease: {settings.lease_s * 1000:g} ms; UDP port {settings.port}",
    ]
    if settings.is_candidate:
        watch = settings.watch
        lines.append(
            f"  watched: {watch.name}, asked at http://{watch.host}:{watch.port}{watch.path}"
            if watch is not None
            else "  watched: nothing but the network; a dead HAProxy moves no address"
        )
    return "\n".join(lines)


def shown_status(status: Mapping[str, Json]) -> str:
    """Return the daemon's status for a person."""
    lines = [f"{status.get('name')}: {_role(status)}"]
    for vip in _objects(status.get("vips")):
        lines.append(f"{vip.get('address')}: {_holding(vip, str(status.get('name')))}")
        moves = _objects(vip.get("moves"))[-_MOVES:]
        lines += [
            f"  {_when(move)}  {move.get('holder') or 'nobody'}: {move.get('reason')}"
            for move in moves
        ]
    voters = status.get("voters")
    for name, voter in voters.items() if isinstance(voters, dict) else ():
        if isinstance(voter, dict):
            lines.append(f"{name} ({voter.get('address')}): {_heard(voter)}")
    late = status.get("lateness_ms")
    if isinstance(late, dict):
        lines.append(
            f"this daemon ran at most {late.get('max')} ms late, {late.get('recent')} ms lately"
        )
    return "\n".join(lines)


def _role(status: Mapping[str, Json]) -> str:
    if not status.get("candidate"):
        return "votes only"
    fit = "fit" if status.get("healthy") else "not fit"
    return f"{fit} ({status.get('reason')}); lease {status.get('lease_ms')} ms"


def _holding(vip: Mapping[str, Json], name: str) -> str:
    holder, since = vip.get("holder"), vip.get("since_s")
    if holder is None:
        return f"held by nobody for {since} s"
    votes = vip.get("votes")
    by = (
        f", by the votes of {joined([str(vote) for vote in votes])}"
        if isinstance(votes, list) and votes
        else ""
    )
    here = " (this server)" if holder == name else ""
    return f"held by {holder}{here} for {since} s{by}"


def _heard(voter: Mapping[str, Json]) -> str:
    heard = voter.get("heard_ms")
    return "never heard" if heard is None else f"heard {heard} ms ago"


def _when(move: Mapping[str, Json]) -> str:
    at = move.get("at")
    if not isinstance(at, int | float):
        return "-"
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _objects(value: Json) -> list[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
