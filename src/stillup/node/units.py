"""systemd units: how they stand, and what to ask of systemd."""

from collections.abc import Iterable

from stillup.errors import ServerFailed
from stillup.node.observed import SeenUnit
from stillup.node.said import first_lines
from stillup.node.world import Ran, World

SHOW_S = 20.0
ACT_S = 180.0
"""systemd's own time limit of a start is 90 s by default; a stop may come before it."""
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


def ask(world: World, verb: str, *names: str) -> Ran:
    """Have systemd do ``verb`` and wait until it is done."""
    # `--` not for daemon-reload, which takes no names.
    rest = ("--", *names) if names else ()
    return world.run(["systemctl", "--no-pager", "--quiet", verb, *rest], within_s=ACT_S)


def journal_lines(world: World, name: str, since_s: float) -> Ran:
    """Return what a unit logged since a wall-clock instant; for the reason of a failure."""
    return world.run(
        [
            "journalctl",
            "--no-pager",
            "-o",
            "cat",
            "-n",
            "40",
            f"--since=@{int(since_s)}",
            "-u",
            name,
        ],
        within_s=SHOW_S,
    )


def act(world: World, verb: str, name: str, secrets: Iterable[str] = ()) -> None:
    """Have systemd do ``verb`` to one unit.

    Raises:
        ServerFailed: If it does not; with the first lines the unit itself logged about it.
    """
    began = world.wall_s()
    ran = ask(world, verb) if verb == "daemon-reload" else ask(world, verb, name)
    if ran.code == 0:
        return
    logged = journal_lines(world, name, began)
    # An empty journal (or none) leaves systemctl's own words.
    why = first_lines(logged if logged.out.strip() else ran, secrets)
    raise ServerFailed(f"{name} did not {verb}: {why}")
