"""A release on its way to one web server: uploaded, then switched to."""

import base64
from dataclasses import dataclass

from stillup.deploy.package import Package
from stillup.node.message import JsonObject
from stillup.servers.connection import Connection

PIECE_BYTES = 768 * 1024
"""A piece is 1 MB as base64: large enough to fill a fast line, small in memory."""
UNPACK_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Releases:
    """What a web server has."""

    current: str | None
    previous: str | None
    all: tuple[str, ...]
    aim: str | None = None
    """Which one all web servers were going back to when that was interrupted."""


async def listed(session: Connection) -> Releases:
    """Return the releases of a web server."""
    answer = await session.request("release.list")
    names = answer.get("releases")
    return Releases(
        _name(answer, "current"),
        _name(answer, "previous"),
        tuple(str(name) for name in names) if isinstance(names, list) else (),
        _name(answer, "aim"),
    )


async def upload(session: Connection, package: Package) -> None:
    """Bring the release to a web server, unless it is there; it is not served yet.

    Raises:
        ServerFailed: If the disk is full, or what arrived is not what was sent.
        InputRefused: If the server refuses something in it.
    """
    if package.release in (await listed(session)).all:
        return
    answer = await session.request(
        "release.begin",
        {"release": package.release, "sha256": package.sha256, "size": package.size},
    )
    if answer.get("have") is True:
        return
    position = 0
    # Several servers read the same archive: seek and read stand together, without an await.
    while piece := _read(package, position):
        position += len(piece)
        await session.request("release.data", {"data": base64.b64encode(piece).decode()})
    await session.request("release.end", within_s=UNPACK_WITHIN_S)


async def switch(session: Connection, release: str) -> None:
    """Serve ``release`` from now on."""
    await session.request("release.switch", {"release": release})


async def aim(session: Connection, release: str | None) -> None:
    """Note on the server which release all are going back to; None when they are there."""
    await session.request("release.aim", {"release": release})


def _read(package: Package, position: int) -> bytes:
    package.archive.seek(position)
    return package.archive.read(PIECE_BYTES)


def _name(answer: JsonObject, key: str) -> str | None:
    value = answer.get(key)
    return value if isinstance(value, str) else None
