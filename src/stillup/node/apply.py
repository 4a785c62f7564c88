"""Make a server have what its bundle says, or leave it as it was.

The order is the bundle's (see ``stillup.node.bundle``). What makes it safe to be interrupted
at any instant: the journal is on disk before anything is touched (``journal``), each path
changes by one rename and what was there stays beside it (``disk``), and the change is complete
when the manifest is renamed into place. Whatever fails in between is taken back (``takeback``).
"""

import errno
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from stillup.errors import ChangeRefused, ChangeTakenBack, ServerFailed
from stillup.node import moves as paths
from stillup.node.accounts import make_account, put_right
from stillup.node.bundle import Bundle, Command, Health
from stillup.node.check import concerns, run_check, run_command, wait_for
from stillup.node.codec import fingerprint
from stillup.node.compare import (
    Change,
    Known,
    Touched,
    differences,
    needs_daemon_reload,
    touched_paths,
    unit_action,
    wanted_stamp,
)
from stillup.node.journal import Journal, UnitBefore, merged, remove_journal, write_journal
from stillup.node.manifest import Manifest, write_manifest
from stillup.node.observe import is_satisfied, observe
from stillup.node.observed import Observed, SeenUnit
from stillup.node.packages import install, remember, remove_left_policy
from stillup.node.recover import clean, make_own_folders, recover
from stillup.node.said import first_lines, secret_words
from stillup.node.sysctls import write_sysctl
from stillup.node.takeback import take_back
from stillup.node.units import act, forget_failures, show
from stillup.node.world import World, at

SETTLE_S = 0.5
"""Between the first sign of health and the second; nginx needs some 50 ms to take over."""

Report = Callable[[str, str], None]
"""Called with a step's word and what it is about."""


@dataclass(frozen=True, slots=True)
class Work:
    """One apply."""

    world: World
    bundle: Bundle
    known: Known
    observed: Observed
    changes: tuple[Change, ...]
    report: Report
    secrets: frozenset[str]

    @property
    def moves(self) -> tuple[paths.Move, ...]:
        """The paths under change."""
        return paths.moves_of(self.bundle, self.changes)

    @property
    def touched(self) -> Touched:
        """What units and checks have to take notice of."""
        return touched_paths(self.changes, self.known)


def apply(world: World, bundle: Bundle, *, overwrite: bool, report: Report) -> tuple[Change, ...]:
    """Apply ``bundle`` and return what was changed; the caller holds the lock.

    Raises:
        ChangeRefused: If somebody's hand-made work would be lost, or a folder is in the way.
        ServerFailed: If it could not begin (no package, no disk), nothing but packages changed;
            or if what was there before could not be put back.
        ChangeTakenBack: If a check, a command, a unit or a health failed; all is as before.
    """
    make_own_folders(world)
    remove_left_policy(world)
    work = _look(world, bundle, recover(world), report)
    _refuse(work, overwrite=overwrite)
    packages = tuple(change for change in work.changes if change.kind == "package")
    if packages:
        work = _with_packages(work, [change.name for change in packages], overwrite=overwrite)
    if not work.changes and work.known.journal is None:
        _refresh_manifest(work)
        return ()
    _carry_out(work)
    return (*packages, *work.changes)


def _look(world: World, bundle: Bundle, known: Known, report: Report) -> Work:
    observed = observe(world, bundle, known)
    changes = differences(bundle, observed, known)
    return Work(world, bundle, known, observed, changes, report, secret_words(bundle))


def _refuse(work: Work, *, overwrite: bool) -> None:
    by_hand = [change.name for change in work.changes if change.by_hand]
    if by_hand and not overwrite:
        raise ChangeRefused(
            f"changed by hand: {', '.join(by_hand)}; look at the difference, and apply with "
            "--overwrite to replace it (a copy is kept on the server)"
        )
    for change in work.changes:
        if change.kind == "directory" and change.by_hand:
            raise ChangeRefused(f"{change.name} is not a folder on this server; move it away")
    paths.require_movable(work.moves, work.observed)


def _with_packages(work: Work, names: list[str], *, overwrite: bool) -> Work:
    """Install packages, then look again: they bring files, users and units of their own."""
    world, known = work.world, work.known
    fresh = tuple(path for path, seen in work.observed.paths.items() if seen is None)
    journal = merged(known.journal, Journal(secrets.token_hex(8), fresh=fresh))
    write_journal(world, journal)
    try:
        work.report("packages", " ".join(names))
        install(world, names)
        again = _look(world, work.bundle, Known(known.manifest, journal), work.report)
        _refuse(again, overwrite=overwrite)
    except Exception:  # whatever it was, it is raised again: nothing stays half done
        if known.journal is None:
            remember(world, fresh)
            remove_journal(world)
        raise
    return again


def _carry_out(work: Work) -> None:
    """Do everything that is not packages, and take it back if any of it fails."""
    mine = _journal(work)
    journal = merged(work.known.journal, mine)
    write_journal(work.world, journal)
    try:
        _prepare(work, mine)
        _forward(work, journal)
        manifest = _manifest(work, journal)
        # By its rename the change is complete.
        write_manifest(work.world, manifest)
    except (ServerFailed, OSError) as error:
        reason = sentence(error)
        _back(work, journal, reason)
        raise ChangeTakenBack(f"{reason}; what was there before is back") from error
    except Exception:  # whatever it was, it is raised again: nothing stays half done
        _back(work, journal, "a fault of stillup itself")
        raise
    clean(work.world, manifest, journal)


def _back(work: Work, journal: Journal, reason: str) -> None:
    work.report("back", reason)
    earlier = work.known.journal
    pending = frozenset(earlier.planned) if earlier else frozenset[str]()
    try:
        take_back(work.world, work.bundle, journal, pending)
    except (ServerFailed, OSError) as error:
        raise ServerFailed(
            f"{reason}; and what was there before could not all be put back: {sentence(error)}; "
            "apply again when that is mended"
        ) from error


def sentence(error: Exception) -> str:
    """Return a failure as words; of the operating system's own with the place."""
    if not isinstance(error, OSError):
        return str(error)
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full{place}"
    return f"{error.strerror}{place}"


def _journal(work: Work) -> Journal:
    """Return all that is needed to carry this change on, or to take it back."""
    observed, world = work.observed, work.world
    names = [*(unit.name for unit in work.bundle.units), *work.known.units()]
    units = {name: observed.units.get(name, SeenUnit()) for name in names}
    folders = [item.name for item in work.changes if item.kind == "directory"]
    made = paths.missing_folders(
        world, [*folders, *(move.path for move in work.moves if move.item is not None)]
    )
    sysctls = {item.name for item in work.changes if item.kind == "sysctl"}
    return Journal(
        key=secrets.token_hex(8),
        planned={move.path: (wanted_stamp(move.item),) if move.item else () for move in work.moves},
        existed={move.path: observed.paths.get(move.path) is not None for move in work.moves},
        units={name: UnitBefore(unit.is_active, unit.is_enabled) for name, unit in units.items()},
        sysctls={key: value for key, value in observed.sysctls.items() if value and key in sysctls},
        directories={path: paths.folder_before(world, path) for path in [*made, *folders]},
    )


def _forward(work: Work, journal: Journal) -> None:
    world, moves, touched = work.world, work.moves, work.touched
    work.report("files", f"{len(moves)} to change")
    paths.stage(world, moves)
    paths.keep(world, journal, work.known.journal)
    paths.keep_by_hand(world, moves, work.observed)
    _check(work, touched)
    _stop_unwanted(work)
    paths.swap(world, moves)
    if needs_daemon_reload(work.observed, touched):
        act(world, "daemon-reload")
    _run_commands(work, [item for item in work.bundle.commands if not item.needs])
    _bring_up(work, touched)
    _run_commands(work, [item for item in work.bundle.commands if item.needs])
    _await_health(work)


def _await_health(work: Work) -> None:
    """Wait until all is well, and look once more a moment later.

    A reload returns before the engine has taken over (nginx and HAProxy start new workers
    beside the old), so the first answer may still be the old configuration's.
    """
    for health in work.bundle.healths:
        work.report("health", health.name)
        _require_health(work, health)
    if any(change.kind in {"unit", "reaction"} for change in work.changes):
        work.world.pause(SETTLE_S)
        for health in work.bundle.healths:
            _require_health(work, health)


def _require_health(work: Work, health: Health) -> None:
    ran = wait_for(work.world, health)
    if ran.code:
        why = first_lines(ran, work.secrets)
        raise ServerFailed(f"{health.name} did not come to health: {why}")


def _prepare(work: Work, mine: Journal) -> None:
    """Users, folders and kernel settings."""
    world = work.world
    wrong = {(change.kind, change.name): change.action for change in work.changes}
    for user in work.bundle.users:
        if ("user", user.name) in wrong:
            work.report("user", user.name)
            (make_account if wrong["user", user.name] == "add" else put_right)(world, user)
    for path, before in mine.directories.items():
        if before is None:
            at(world, path).mkdir(mode=0o755, exist_ok=True)
    for directory in work.bundle.directories:
        if ("directory", directory.path) in wrong:
            paths.set_folder(world, directory)
    originals, wanted = work.known.sysctls(), dict(work.bundle.sysctls)
    for change in work.changes:
        if change.kind == "sysctl":
            write_sysctl(
                world, change.name, wanted.get(change.name, originals.get(change.name, ""))
            )


def _check(work: Work, touched: Touched) -> None:
    moves = {move.path: move.item is not None for move in work.moves}
    for check in work.bundle.checks:
        if concerns(check, touched):
            work.report("check", check.name)
            ran = run_check(work.world, check, moves)
            if ran.code:
                why = first_lines(ran, work.secrets)
                raise ServerFailed(f"{check.name} refuses the new configuration: {why}")


def _stop_unwanted(work: Work) -> None:
    """Stop what is no longer wanted while its unit file is still there to say how."""
    for change in work.changes:
        if change.kind == "unit" and change.action == "remove":
            work.report("stop", change.name)
            act(work.world, "stop", change.name, secrets=work.secrets)
            act(work.world, "disable", change.name)


def _run_commands(work: Work, commands: list[Command]) -> None:
    for command in commands:
        if is_satisfied(work.world, command):
            continue
        work.report("command", command.name)
        ran = run_command(work.world, command)
        if ran.code:
            raise ServerFailed(f"{command.name} failed: {first_lines(ran, work.secrets)}")


def _bring_up(work: Work, touched: Touched) -> None:
    """Enable, disable, start, stop, reload and restart, in the bundle's order."""
    world = work.world
    units = work.bundle.units
    seen = show(world, [unit.name for unit in units])
    enable = [unit.name for unit in units if unit.enabled and not seen[unit.name].starts_at_boot]
    disable = [unit.name for unit in units if not unit.enabled and seen[unit.name].is_enabled]
    # All at once: systemd reads all its unit files again each time.
    act(world, "enable", *enable)
    act(world, "disable", *disable)
    steps = [(unit.name, unit_action(unit, seen[unit.name], touched)) for unit in units]
    forget_failures(world, [name for name, action in steps if action in {"start", "restart"}])
    for name, action in steps:
        if action:
            work.report(action, name)
            act(world, action, name, secrets=work.secrets)


def _refresh_manifest(work: Work) -> None:
    """Take note of a bundle that needed no change, if it is not the one we know."""
    manifest = work.known.manifest
    if manifest is None or manifest.bundle != fingerprint(work.bundle):
        write_manifest(work.world, _manifest(work, Journal(manifest.completes if manifest else "")))


def _manifest(work: Work, journal: Journal) -> Manifest:
    # What this kernel does not have had no value before, and gets none back.
    found = {key: value for key, value in work.observed.sysctls.items() if value is not None}
    before = {**found, **work.known.sysctls()}
    earlier = work.known.manifest.folders if work.known.manifest else ()
    new = (path for path, owner in journal.directories.items() if owner is None)
    folders = {*earlier, *new} - {directory.path for directory in work.bundle.directories}
    return Manifest(
        at=work.world.wall_s(),
        bundle=fingerprint(work.bundle),
        completes=journal.key,
        paths=paths.wanted_stamps(work.bundle),
        units=tuple(unit.name for unit in work.bundle.units),
        sysctls={key: before[key] for key, _ in work.bundle.sysctls if key in before},
        folders=tuple(sorted(path for path in folders if at(work.world, path).is_dir())),
    )
