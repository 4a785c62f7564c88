"""Removes a drill's pages from a web server, and what they made in the database and on the storage.

The timer of the drill runs this as a program, from a copy beside the pages, so that nothing of the
controller is needed: ``python3 -m stillup.node.drill_removal MARK``. First the pages lose their
name, so that no user reaches them any more; then the page itself removes the table and the files,
as it alone has the site's password; then everything goes, the timer last. Whatever of it was
interrupted is done by the next run.
"""

import contextlib
import shutil
import sys
from pathlib import Path

from stillup.errors import StillupError
from stillup.node import drill_place as place
from stillup.node import drill_pool, drill_timer
from stillup.node.lock import Lock
from stillup.node.world import World

GIVEN_UP_S = 86_400.0
"""So long after a drill's end its table and files are left to a person: the farm is no more."""


def remove(world: World, mark: str, *, only_over: bool = False) -> bool:
    """Remove the drill of that mark, if it is here.

    ``only_over``: not before its time, which may have been put off since the timer was set; it is set
    to that time then.

    Returns:
        Whether it is gone.

    Raises:
        ServerFailed: If its table or its files could not be removed; its pages are unreachable
            then, and the timer tries again.
        ChangeRefused: If it is being installed or removed just now.
    """
    lock = Lock(world, place.LOCK, "another drill")
    lock.take("the end of a drill")
    try:
        return _remove(world, mark, only_over=only_over)
    finally:
        lock.free()


def _remove(world: World, mark: str, *, only_over: bool) -> bool:
    home = place.home(world)
    for token in (one for one in place.tokens(world) if place.mark_of(one) == mark):
        shown, hidden = home / token, home / f".{token}"
        if shown.is_dir():
            until_s = place.until_s(shown)
            if only_over and until_s > world.wall_s():
                drill_timer.set_time(world, mark, until_s)
                return False
            shutil.rmtree(hidden, ignore_errors=True)
            shown.rename(hidden)
        _end(world, hidden)
        # First what says that there is something to end: the page may be gone next time.
        (hidden / place.SETTINGS).unlink(missing_ok=True)
        shutil.rmtree(hidden)
    _clear(world, mark)
    return True


def _end(world: World, hidden: Path) -> None:
    over_s = place.until_s(hidden)
    if world.wall_s() < over_s + GIVEN_UP_S:
        drill_pool.do(world, hidden.name, "end")
    elif over_s:
        name = f"stillup_drill_{place.mark_of(hidden.name[1:])}..."
        sys.stderr.write(f"given up: the table {name} and the drill's files are left to a person\n")


def _clear(world: World, mark: str) -> None:
    drill_timer.disarm(world, mark)
    home = place.home(world)
    for folder in (place.new_of(mark), place.code_of(mark)):
        shutil.rmtree(home / folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # another drill's is there
        home.rmdir()


def main() -> None:
    """Remove the drill whose mark is given, if it is over; the exit code has systemd try again."""
    from stillup.node.machine import Machine

    try:
        remove(Machine(), sys.argv[1], only_over=True)
    except (StillupError, OSError) as error:
        raise SystemExit(f"the drill is not removed yet: {error}") from error


if __name__ == "__main__":
    main()
