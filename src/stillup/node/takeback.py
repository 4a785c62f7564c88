"""Take a change back: files, units, kernel settings and folders as they were before it began."""

from dataclasses import replace

from stillup.node import moves as paths
from stillup.node.bundle import Bundle, Unit
from stillup.node.compare import UNIT_FOLDERS, Touched, unit_action
from stillup.node.journal import Journal, UnitBefore, remove_journal
from stillup.node.observed import SeenUnit
from stillup.node.packages import remember
from stillup.node.sysctls import read_sysctl, write_sysctl
from stillup.node.units import act, ask, forget_failures, show
from stillup.node.world import World


def take_back(world: World, bundle: Bundle, journal: Journal, pending: frozenset[str]) -> None:
    """Put back what was there before, and have the units notice.

    Args:
        world: The server.
        bundle: The bundle that failed; it says which paths its units depend on.
        journal: What was there before.
        pending: Paths that an earlier, interrupted change may have put in place; their units
            may run with them.

    Raises:
        ServerFailed: If a unit does not come back; the journal stays, all else is back.
        OSError: If the disk does not take it.
    """
    _stop_new(world, journal)
    changed = paths.put_back(world, journal.existed)
    for key, value in journal.sysctls.items():
        if read_sysctl(world, key) != value:
            write_sysctl(world, key, value)
    _folders_back(world, journal)
    touched = Touched(changed | pending, everything=journal.damaged)
    if touched.hits(UNIT_FOLDERS):
        act(world, "daemon-reload")
    _units_back(world, bundle, journal, touched)
    remember(world, journal.fresh)
    remove_journal(world)


def _stop_new(world: World, journal: Journal) -> None:
    """Stop and disable what did not run before, while its unit file is there to say how."""
    now = show(world, journal.units)
    for name, before in journal.units.items():
        if now[name].is_enabled and not before.enabled:
            ask(world, "disable", name)
        if not before.active and now[name].active != "inactive":
            ask(world, "stop", name)
            forget_failures(world, [name])


def _folders_back(world: World, journal: Journal) -> None:
    new = [path for path, before in journal.directories.items() if before is None]
    paths.remove_empty_folders(world, new)
    for path, before in journal.directories.items():
        if before is not None:
            paths.set_folder_to(world, path, before)


def _units_back(world: World, bundle: Bundle, journal: Journal, touched: Touched) -> None:
    units = {unit.name: unit for unit in bundle.units}
    now = show(world, journal.units)
    ran = [name for name, before in journal.units.items() if before.active]
    forget_failures(world, ran)
    act(
        world,
        "enable",
        *(name for name, before in journal.units.items() if _lost(before, now[name])),
    )
    for name in ran:
        unit = units.get(name, Unit(name))
        # Whatever the new bundle wants of it: it ran before.
        action = unit_action(replace(unit, running=True), now[name], touched)
        if action:
            act(world, action, name)


def _lost(before: UnitBefore, now: SeenUnit) -> bool:
    """Tell whether a unit is no longer enabled."""
    return before.enabled and not now.is_enabled
