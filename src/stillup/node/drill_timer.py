"""What ends a drill on a web server, whatever becomes of who began it: units on the disk.

The timer fires once, at an absolute time. The service is also started with every boot: one that was
interrupted by a power cut goes on then, and one that comes too early, as the end was put off
meanwhile, sets the timer anew.
"""

from datetime import UTC, datetime

from stillup.node import disk, units
from stillup.node import drill_place as place
from stillup.node.world import World, at

UNITS = "/etc/systemd/system"
STAMPS = "/var/lib/systemd/timers"


def service_text(mark: str) -> str:
    """Return the unit that removes the drill; it is tried again until it succeeds."""
    return f"""\
[Unit]
Description=stillup: the end of a drill
StartLimitIntervalSec=0
# No boot waits for it: what it has to do may take a while.
DefaultDependencies=no
After=basic.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
Environment=PYTHONPATH={place.HOME}/{place.code_of(mark)}
ExecStart=/usr/bin/python3 -s -P -m stillup.node.drill_removal {mark}
Restart=on-failure
RestartSec=5s
"""


def timer_text(until_s: float) -> str:
    """Return the timer; a time that the server slept through is made up for."""
    # A second later: the pages refuse first.
    when = datetime.fromtimestamp(int(until_s) + 1, UTC)
    return f"""\
[Unit]
Description=stillup: the end of a drill, whatever becomes of who began it

[Timer]
OnCalendar={when:%Y-%m-%d %H:%M:%S} UTC
AccuracySec=1s
Persistent=yes
"""


def arm(world: World, mark: str, until_s: float) -> None:
    """Have the drill removed at that time (seconds since 1970), and see to it at every boot."""
    stamp = at(world, _stamp(mark))
    stamp.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # systemd goes by this file's age to tell whether a time has been missed; without it the first
    # start would take a time that has just passed for one of before.
    stamp.touch()
    service = place.unit_of(mark, "service")
    disk.write_whole(at(world, f"{UNITS}/{service}"), service_text(mark).encode(), 0o644)
    for path in _links(mark):
        link = at(world, path)
        link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        disk.write_new_link(link, f"../{link.name}")
        disk.swap_in(link)
        disk.flush_folders([link.parent])
    set_time(world, mark, until_s)


def set_time(world: World, mark: str, until_s: float) -> None:
    """Set the timer of a drill that is armed."""
    timer = place.unit_of(mark, "timer")
    disk.write_whole(at(world, f"{UNITS}/{timer}"), timer_text(until_s).encode(), 0o644)
    units.act(world, units.RELOAD_ALL)
    units.act(world, "restart", timer)


def disarm(world: World, mark: str) -> None:
    """Take away all units of the drill, where there are any."""
    timer, service = place.unit_of(mark, "timer"), place.unit_of(mark, "service")
    paths = (*_links(mark), f"{UNITS}/{timer}", f"{UNITS}/{service}", _stamp(mark))
    there = any(at(world, path).is_symlink() or at(world, path).exists() for path in paths)
    for path in paths:
        disk.forget(at(world, path))
        at(world, path).unlink(missing_ok=True)
    if there:
        units.act(world, "stop", timer)
        units.act(world, units.RELOAD_ALL)


def _links(mark: str) -> tuple[str, str]:
    timer, service = place.unit_of(mark, "timer"), place.unit_of(mark, "service")
    return f"{UNITS}/timers.target.wants/{timer}", f"{UNITS}/multi-user.target.wants/{service}"


def _stamp(mark: str) -> str:
    return f"{STAMPS}/stamp-{place.unit_of(mark, 'timer')}"
