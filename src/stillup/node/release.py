"""The site's releases on a web server: uploaded, unpacked beside, switched atomically.

/srv/site/releases/ID   a release; root's, readable by all
/srv/site/current       a link to the one that is served
/srv/site/previous      a link to the one before, the way back

Every step can be interrupted and done again. Five releases are kept.

Where the whole site lives on the shared storage, /srv/site is a link to where that is mounted, and
every web server does all of this in one folder at the same time: what is half done carries the
name of the server that does it, and what another one has done already is done.
"""

import base64
import binascii
import contextlib
import ctypes
import errno
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import disk, fcgi, release_shared
from stillup.node.message import JsonObject
from stillup.node.unpack import unpack
from stillup.node.world import World, at

SITE = "/srv/site"
RELEASES = f"{SITE}/releases"
RESET = "/usr/lib/stillup/opcache.php"
RESET_S = 10.0
SEEN_S = 2.0
AIM = ".going-back-to"
KEPT = 5
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(slots=True)
class Upload:
    """A release on its way in."""

    name: str
    sha256: str
    size: int
    place: Path
    file: BufferedRandom
    received: int = 0


def begin(world: World, name: str, sha256: str, size: int) -> Upload | None:
    """Make ready for an archive; None if this very release is here already.

    Raises:
        ChangeRefused: If another release has that name.
    """
    _require_name(name)
    if (site := at(world, SITE)).is_symlink():
        release_shared.require_mounted(world, str(site.readlink()))
    folder = at(world, RELEASES)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _sweep(world)
    if (folder / name).is_dir():
        if (disk.read_regular(_mark(world, name)) or b"").decode() == sha256:
            # Its folders may have come to be shared since.
            release_shared.link(world, folder / name)
            return None
        raise ChangeRefused(f"there is another release named {name} on this server")
    free = os.statvfs(folder)
    if size > free.f_bavail * free.f_frsize:
        raise ServerFailed(f"the disk of this server has no room for the release {name}")
    place = folder / f".{name}{_own(world)}.tar.gz"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.fdopen(os.open(place, flags, 0o600), "w+b")
    return Upload(name, sha256, size, place, file)


def receive(upload: Upload, data: str) -> int:
    """Take a piece (base64); return how many bytes there are now."""
    try:
        piece = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputRefused("release.data: data must be base64") from error
    upload.file.write(piece)
    upload.received += len(piece)
    return upload.received


def end(world: World, upload: Upload) -> None:
    """Check what arrived, unpack it beside and put it in its place.

    Raises:
        ServerFailed: If it is not what was sent, or the disk is full; nothing is left of it.
        InputRefused: If something in it is not allowed.
    """
    target = at(world, RELEASES) / upload.name
    beside = target.with_name(f".{upload.name}{_own(world)}.new")
    try:
        with upload.file as file:
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if (upload.received, digest) != (upload.size, upload.sha256):
                raise ServerFailed("the release that arrived is not the one that was sent")
            file.seek(0)
            shutil.rmtree(beside, ignore_errors=True)
            unpack(file, beside)
        release_shared.link(world, beside)
        _flush_all(beside)
        _write(world, _mark(world, upload.name), upload.sha256)
        _put(beside, target)
        disk.flush_folders([target.parent])
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        upload.place.unlink(missing_ok=True)


def _put(beside: Path, target: Path) -> None:
    """Put a whole release in its place; another web server may have been faster."""
    try:
        beside.rename(target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise


def drop(upload: Upload) -> None:
    """Forget an upload that will not be ended."""
    upload.file.close()
    upload.place.unlink(missing_ok=True)


def switch(world: World, name: str) -> JsonObject:
    """Serve ``name`` from now on, and tell PHP to forget the code it has compiled.

    Raises:
        ServerFailed: If there is no such release, or PHP could not be told.
    """
    _require_name(name)
    if not (at(world, RELEASES) / name).is_dir():
        raise ServerFailed(f"there is no release {name} on this server")
    now = current(world)
    if now != name:
        if now is not None:
            _point(world, "previous", now)
        _point(world, "current", name)
    told = _reset_opcache(world)
    _keep_few(world)
    return {"current": name, "previous": _pointed(world, "previous"), "opcache": told}


def back(world: World) -> JsonObject:
    """Serve the release before.

    Raises:
        ServerFailed: If there is none.
    """
    before = _pointed(world, "previous")
    if before is None or before == current(world):
        raise ServerFailed("there is no earlier release on this server to go back to")
    return switch(world, before)


def aim(world: World, name: str | None) -> JsonObject:
    """Note that all web servers are going back to ``name``; None when they are there.

    Without it, half of them back again looks like half of them not yet there, as a release and
    the way back leave the same two names behind.
    """
    place = at(world, SITE) / AIM
    if name is None:
        place.unlink(missing_ok=True)
    else:
        _require_name(name)
        _write(world, place, name)
    return {}


def _aim(world: World) -> str | None:
    return (disk.read_regular(at(world, SITE) / AIM) or b"").decode(errors="replace") or None


def listing(world: World) -> JsonObject:
    """Return the releases, oldest first, the current and the previous one, and where to."""
    return {
        "aim": _aim(world),
        "current": current(world),
        "previous": _pointed(world, "previous"),
        "releases": [path.name for path in _all(world)],
    }


def current(world: World) -> str | None:
    """Return the release that is served."""
    return _pointed(world, "current")


def seen(world: World) -> str | None:
    """Return the release that is served, for ``status``: it does not wait for long.

    Of a site on the shared storage a program of its own looks, which is ended when the storage
    does not answer; then nothing is known.
    """
    if not at(world, SITE).is_symlink():
        return current(world)
    ran = world.run(["readlink", "--", f"{SITE}/current"], within_s=SEEN_S)
    return None if ran.code else Path(ran.out.decode(errors="replace").strip()).name


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputRefused(f"{name!r} cannot name a release: letters, digits, '.', '_' and '-'")


def _mark(world: World, name: str) -> Path:
    """Return the file that says what a release was unpacked from."""
    return at(world, RELEASES) / f".{name}.sha256"


def _point(world: World, link: str, name: str) -> None:
    place = at(world, SITE) / link
    own = place.with_name(f"{link}{_own(world)}")
    disk.write_new_link(own, f"releases/{name}")
    disk.new_of(own).rename(place)
    disk.flush_folders([place.parent])


def _write(world: World, place: Path, text: str) -> None:
    """Replace a file, which another web server may do at the same time."""
    own = place.with_name(f"{place.name}{_own(world)}")
    disk.write_new(own, text.encode(), 0o600, (os.geteuid(), os.getegid()))
    disk.new_of(own).rename(place)
    disk.flush_folders([place.parent])


def _pointed(world: World, link: str) -> str | None:
    place = at(world, SITE) / link
    if not place.is_symlink() or not place.is_dir():
        return None
    return place.readlink().name


def _all(world: World) -> list[Path]:
    folder = at(world, RELEASES)
    if not folder.is_dir():
        return []
    found: list[tuple[int, str, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another web server removes it right now
            if path.is_dir() and path.name[0] != ".":
                found.append((path.stat().st_ctime_ns, path.name, path))
    return [path for *_, path in sorted(found)]


def _keep_few(world: World) -> None:
    """Remove the oldest releases beyond five, never the current or the previous one."""
    needed = {current(world), _pointed(world, "previous")}
    spare = [path for path in _all(world) if path.name not in needed]
    room = max(0, KEPT - len(needed - {None}))
    for path in spare[: max(0, len(spare) - room)]:
        # The name goes first, so that a half-removed release is never taken for a whole one.
        gone = path.with_name(f".{path.name}{_own(world)}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # another web server was faster
            path.rename(gone)
        _mark(world, path.name).unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)


def _sweep(world: World) -> None:
    """Remove what this server's interrupted uploads and removals left, and no other's."""
    own = _own(world)
    for path in at(world, RELEASES).glob(f".*{own}.*"):
        if path.is_dir() and path.name.endswith((f"{own}.new", f"{own}.gone")):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.endswith((f"{own}.tar.gz", f"{own}{disk.NEW}")):
            path.unlink()


def _own(world: World) -> str:
    """Return what sets this server's half-done work apart, where several share the folder."""
    if not at(world, SITE).is_symlink():
        return ""
    machine = (disk.read_regular(at(world, "/etc/machine-id")) or b"").decode().strip()
    return f"@{machine[:12]}"


def _flush_all(folder: Path) -> None:
    """Flush a whole tree: one syncfs(2) costs less than an fsync a file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def _reset_opcache(world: World) -> str:
    """Have the running PHP forget its compiled code; without a pool there is none."""
    pool = at(world, fcgi.POOL)
    if not pool.exists():
        return "no PHP runs here"
    try:
        told, complaint = fcgi.call(pool, RESET, RESET_S)
    except (OSError, ValueError) as error:
        raise ServerFailed(
            f"the release is in place, but PHP could not be told: {error}"
        ) from error
    head, _, body = told.partition(b"\r\n\r\n")
    if b"Status:" in head or complaint:
        text = (complaint or head + body).decode(errors="replace").strip()[:200]
        raise ServerFailed(f"the release is in place, but PHP kept its compiled code: {text}")
    return "emptied"
