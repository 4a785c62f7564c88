"""systemd units: how they stand, and what to ask of systemd."""

from collections.abc import Iterable, Sequence

from stillup.errors import ServerFailed
from stillup.node.observed import SeenUnit
from stillup.node.said import first_lines
from stillup.node.world import Ran, World

SHOW_S = 20.0
ACT_S = 180.0
"""systemd's own time limit of a start is 90 s by default; a stop may come before it."""
RELOAD_ALL = "daemon-reload"
PROPERTIES = ("ActiveState", "UnitFileState", "LoadState", "NeedDaemonReload")


def show(world: World, names: Iterable[str]) -> dict[str, SeenUnit]:
    """Return how units stand, asked in one call; those systemd does not know are inactive."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    ran = world.run(
        ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *wanted],
        within_s=SHOW_S,
    )
    # One block a unit, in the order asked for, an empty line between; the unit's own name is
    # not used, for it would be the real one where an alias was asked for.
    blocks = ran.out.decode(errors="replace").strip("\n").split("\n\n")
    if ran.code or len(blocks) != len(wanted):
        raise ServerFailed(f"systemd does not say how its units stand: {first_lines(ran)}")
    return {name: _unit(block) for name, block in zip(wanted, blocks, strict=True)}


def _unit(block: str) -> SeenUnit:
    properties = dict(line.partition("=")[::2] for line in block.splitlines())
    return SeenUnit(
        active=properties.get("ActiveState", "inactive"),
        enabled=properties.get("UnitFileState", ""),
        load=properties.get("LoadState", "not-found"),
        stale=properties.get("NeedDaemonReload") == "yes",
    )


def act(world: World, verb: str, *names: str, secrets: Iterable[str] = ()) -> None:
    """Have systemd do ``verb`` to these units, to none if none is named.

    Raises:
        ServerFailed: If it does not; with the first lines the unit itself logged about it.
    """
    if not names and verb != RELOAD_ALL:
        return
    began = world.wall_s()
    ran = ask(world, verb, *names)
    if ran.code == 0:
        return
    logged = journal_lines(world, names, began)
    # An empty journal (or none) leaves systemctl's own words.
    why = first_lines(logged if logged.out.strip() else ran, secrets)
    raise ServerFailed(f"{' '.join(names) or 'systemd'} did not {verb}: {why}")


def ask(world: World, verb: str, *names: str) -> Ran:
    """Have systemd do ``verb`` and wait until it is done; a failure is the caller's."""
    rest = ("--", *names) if names else ()
    return world.run(["systemctl", "--no-pager", "--quiet", verb, *rest], within_s=ACT_S)


def forget_failures(world: World, names: Sequence[str]) -> None:
    """Have systemd forget that units failed, and how often they were started lately.

    It refuses the sixth start within ten seconds, as when an apply is taken back and tried
    again. That a unit is not loaded yet is no failure.
    """
    if names:
        ask(world, "reset-failed", *names)


def journal_lines(world: World, names: Iterable[str], since_s: float) -> Ran:
    """Return what units logged since a wall-clock instant; for the reason of a failure."""
    which = [word for name in names for word in ("-u", name)]
    if not which:
        return Ran(0)
    shown = ["--no-pager", "-o", "cat", "-n", "40", f"--since=@{int(since_s)}"]
    return world.run(["journalctl", *shown, *which], within_s=SHOW_S)
