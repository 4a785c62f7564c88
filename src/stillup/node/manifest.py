"""What was last applied here, so that hand-made changes and leftovers can be told.

``/var/lib/stillup/manifest.json``, mode 0600. Writing it is the moment a change is complete:
it names the journal that it completes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from stillup.errors import ServerFailed
from stillup.node.disk import read_regular, sha256, write_whole
from stillup.node.message import Json, JsonObject
from stillup.node.world import World, at

FOLDER = "/var/lib/stillup"
PATH = f"{FOLDER}/manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a file or a link was left by us; ``sha256`` is of its content or its target."""

    sha256: str
    mode: int = 0
    owner: str = ""
    group: str = ""
    secret: bool = False
    link: bool = False

    def same_as(self, other: "Stamp") -> bool:
        """Tell whether both describe the same thing on disk."""
        return (self.sha256, self.mode, self.owner, self.group, self.link) == (
            other.sha256,
            other.mode,
            other.owner,
            other.group,
            other.link,
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was last applied."""

    at: float
    """When, in seconds since 1970."""
    bundle: str
    """The fingerprint of the bundle."""
    completes: str
    """The journal this completed."""
    paths: Mapping[str, Stamp] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Each sysctl we set, with the value it had before we first did."""
    folders: tuple[str, ...] = ()
    """Folders that we made on the way to a path; they go with the last path in them."""


def link_stamp(target: str) -> Stamp:
    """Return the stamp of a symbolic link."""
    return Stamp(sha256(target.encode()), link=True)


def read_manifest(world: World) -> Manifest | None:
    """Return what was last applied; None if nothing ever was.

    Raises:
        ServerFailed: If the file is damaged.
    """
    data = read_regular(at(world, PATH))
    if data is None:
        return None
    try:
        return _manifest(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServerFailed(
            f"{PATH} is damaged, so hand-made changes cannot be told; look at it, and remove it "
            "to apply as if for the first time"
        ) from error


def encode(manifest: Manifest) -> bytes:
    """Return the file's content."""
    return json.dumps(
        {
            "format": FORMAT,
            "at": manifest.at,
            "bundle": manifest.bundle,
            "completes": manifest.completes,
            "paths": {path: stamp_json(stamp) for path, stamp in manifest.paths.items()},
            "units": list(manifest.units),
            "sysctls": dict(manifest.sysctls),
            "folders": list(manifest.folders),
        },
        indent=1,
    ).encode()


def write_manifest(world: World, manifest: Manifest) -> None:
    """Write it, atomically and flushed."""
    write_whole(at(world, PATH), encode(manifest))


def stamp_json(stamp: Stamp) -> JsonObject:
    """Return a stamp as JSON."""
    return {
        "sha256": stamp.sha256,
        "mode": stamp.mode,
        "owner": stamp.owner,
        "group": stamp.group,
        "secret": stamp.secret,
        "link": stamp.link,
    }


def stamp_from(data: JsonObject) -> Stamp:
    """Return the stamp that ``stamp_json`` told."""
    mode = data["mode"]
    if not isinstance(mode, int):
        raise TypeError("mode")
    return Stamp(
        str(data["sha256"]),
        mode,
        str(data["owner"]),
        str(data["group"]),
        secret=bool(data["secret"]),
        link=bool(data["link"]),
    )


def _manifest(data: dict[str, Json]) -> Manifest:
    paths, sysctls, when = data["paths"], data["sysctls"], data["at"]
    units, folders = data["units"], data["folders"]
    if data["format"] != FORMAT or not isinstance(when, float | int):
        raise ValueError(data["format"])
    if not (isinstance(paths, dict) and isinstance(sysctls, dict)):
        raise TypeError("manifest")
    if not (isinstance(units, list) and isinstance(folders, list)):
        raise TypeError("manifest")
    return Manifest(
        at=float(when),
        bundle=str(data["bundle"]),
        completes=str(data["completes"]),
        paths={path: stamp_from(stamp) for path, stamp in paths.items() if isinstance(stamp, dict)},
        units=tuple(str(unit) for unit in units),
        sysctls={key: str(value) for key, value in sysctls.items()},
        folders=tuple(str(folder) for folder in folders),
    )
