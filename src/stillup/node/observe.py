"""Look at everything a bundle speaks of, with as few processes as can be.

One ``dpkg-query`` for the packages, one ``systemctl show`` for the units, one process per
guarded command; files, accounts and sysctls are read in process.
"""

from stillup.node.bundle import Absent, Bundle, Command
from stillup.node.compare import Known, stamp_of, wanted_paths, wanted_stamp
from stillup.node.look import look, look_at_folder
from stillup.node.observed import Observed, Seen
from stillup.node.packages import installed, pristine
from stillup.node.sysctls import read_sysctl
from stillup.node.units import show
from stillup.node.world import World

GUARD_S = 30.0
"""How long the ``unless`` of a command may take."""


def observe(world: World, bundle: Bundle, known: Known) -> Observed:
    """Return what the server has of everything that the bundle or our earlier work names."""
    wanted = wanted_paths(bundle)
    paths = {path: look(world, path) for path in sorted(wanted.keys() | known.paths())}
    keys = dict.fromkeys([*dict(bundle.sysctls), *known.sysctls()])
    accounts = (world.account(user.name) for user in bundle.users)
    return Observed(
        packages=installed(world, bundle.packages),
        accounts={account.name: account for account in accounts if account},
        directories={
            directory.path: look_at_folder(world, directory.path)
            for directory in bundle.directories
        },
        paths=paths,
        pristine=pristine(world, _strangers(bundle, paths, known)),
        sysctls={key: read_sysctl(world, key) for key in keys},
        units=show(world, [*(unit.name for unit in bundle.units), *known.units()]),
        satisfied=frozenset(
            command.name for command in bundle.commands if is_satisfied(world, command)
        ),
    )


def is_satisfied(world: World, command: Command) -> bool:
    """Tell whether the command's guard says that there is nothing to do."""
    guard = world.run(command.unless, stdin=command.unless_stdin.encode(), within_s=GUARD_S)
    return guard.code == 0


def _strangers(bundle: Bundle, paths: dict[str, Seen], known: Known) -> dict[str, Seen]:
    """Return what differs from the bundle and was never ours; usually nothing."""
    strangers = {}
    for path, item in wanted_paths(bundle).items():
        stamp = stamp_of(paths[path])
        if stamp is None or any(stamp.same_as(left) for left in known.stamps(path)):
            continue
        if isinstance(item, Absent) or not stamp.same_as(wanted_stamp(item)):
            strangers[path] = paths[path]
    return strangers
