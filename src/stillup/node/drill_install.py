"""Brings a drill's pages to a web server, and arms the timer that removes them.

The timer comes first and the pages last, by a rename: there are no pages that nothing removes. It
is on the disk, with an absolute time, and makes up for a time that was slept through: the tool may
die, and so may the server.
"""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import stillup
from stillup.errors import ChangeRefused, InputRefused
from stillup.node import disk, drill_timer
from stillup.node import drill_place as place
from stillup.node.lock import Lock
from stillup.node.world import World, at

LONGEST_S = 86_400
SHORTEST_S = 10
NGINX_SITE = "/etc/nginx/conf.d/site.conf"
SITE = "/srv/site"
DOWNLOAD = "download"
DOWNLOAD_BYTES = 64 << 20
"""Of zeros, which take no room; nginx sends 1 MB a second of it."""
CODE = (
    "__init__.py",
    "errors.py",
    "node/__init__.py",
    "node/bundle.py",
    "node/disk.py",
    "node/drill_place.py",
    "node/drill_pool.py",
    "node/drill_removal.py",
    "node/drill_timer.py",
    "node/fcgi.py",
    "node/lock.py",
    "node/machine.py",
    "node/observed.py",
    "node/said.py",
    "node/units.py",
    "node/world.py",
)
"""What ``drill_removal`` needs."""


def install(world: World, token: str, seconds: int, shared: str | None) -> float:
    """Have the pages of the drill ``token`` there for so long from now on; again, for longer.

    Args:
        world: The web server.
        token: 32 hexadecimal digits.
        seconds: 10 s to a day.
        shared: The mounted folder that the numbered files go below; None where nothing is shared.

    Returns:
        When they will be gone, in seconds since 1970.

    Raises:
        InputRefused: If an argument is not as above.
        ChangeRefused: If another drill's pages are here, or nginx does not know such pages yet.
    """
    place.require_token(token)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InputRefused(f"a drill lasts {SHORTEST_S} s to {LONGEST_S} s, not {seconds}")
    if shared is not None and not shared.startswith("/"):
        raise InputRefused(f"drill.install: {shared!r} is not a folder's path from /")
    lock = Lock(world, place.LOCK, "another drill")
    lock.take("the beginning of a drill")
    try:
        _refuse_another(world, token)
        until_s = world.wall_s() + seconds
        # Where the pages are, writing their end anew is all: the timer finds that it came too early.
        if not (place.home(world) / token).is_dir():
            _arm(world, token, until_s)
        _put(world, token, until_s, shared)
    finally:
        lock.free()
    return until_s


def _refuse_another(world: World, token: str) -> None:
    site = disk.read_regular(at(world, NGINX_SITE)) or b""
    if b"/stillup-drill-" not in site:
        raise ChangeRefused(
            "this server's nginx does not know the pages of a drill yet; `stillup apply` first"
        )
    for other in place.tokens(world):
        ends_s = place.until_s(place.home(world) / other)
        if other != token and ends_s > world.wall_s():
            ends = datetime.fromtimestamp(ends_s, UTC)
            raise ChangeRefused(
                "another drill is under way here; when nobody ends it, its pages are gone at "
                f"{ends:%H:%M:%S} UTC"
            )


def _arm(world: World, token: str, until_s: float) -> None:
    mark = place.mark_of(token)
    home = place.home(world)
    # Who may pass need not see by what name a drill's pages go.
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    _copy_code(home / place.code_of(mark))
    drill_timer.arm(world, mark, until_s)


def _copy_code(target: Path) -> None:
    source = Path(stillup.__file__).parent
    for name in CODE:
        copy = target / "stillup" / name
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        disk.write_whole(copy, (source / name).read_bytes(), 0o644)


def _put(world: World, token: str, until_s: float, shared: str | None) -> None:
    """Put the pages in their place; where they are, only their end is put off."""
    shown = place.home(world) / token
    settings = {
        "token": token,
        "until": until_s,
        "folder": None if shared is None else f"{shared}/.stillup-drill-{token}",
        "whole": at(world, SITE).is_symlink(),
    }
    text = json.dumps(settings, indent=2).encode() + b"\n"
    if shown.is_dir():
        disk.write_whole(shown / place.SETTINGS, text, 0o644)
        return
    beside = shown.with_name(place.new_of(place.mark_of(token)))
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o755)
    (beside / DOWNLOAD).touch(mode=0o644)
    os.truncate(beside / DOWNLOAD, DOWNLOAD_BYTES)
    page = Path(__file__).with_name("drill_probe.php").read_bytes()
    disk.write_whole(beside / place.PROBE, page, 0o644)
    disk.write_whole(beside / place.SETTINGS, text, 0o644)
    disk.flush_folders([beside])
    beside.rename(shown)
    disk.flush_folders([shown.parent])
