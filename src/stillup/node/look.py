"""Look at one path."""

import stat

from stillup.node.observed import Seen, SeenFile, SeenFolder, SeenLink, SeenOther
from stillup.node.world import World, at


def look(world: World, path: str) -> Seen:
    """Return what is at ``path``, not following a link."""
    place = at(world, path)
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return SeenLink(str(place.readlink()), place.is_dir())
    owner, group = world.names(status.st_uid, status.st_gid)
    if stat.S_ISREG(status.st_mode):
        return SeenFile(place.read_bytes(), mode, owner, group)
    return SeenFolder(mode, owner, group) if stat.S_ISDIR(status.st_mode) else SeenOther()


def look_at_folder(world: World, path: str) -> Seen:
    """Return what is at ``path``; a link to a folder (``/var/run``) counts as that folder."""
    seen = look(world, path)
    if not isinstance(seen, SeenLink) or not seen.folder:
        return seen
    status = at(world, path).stat()
    return SeenFolder(stat.S_IMODE(status.st_mode), *world.names(status.st_uid, status.st_gid))
