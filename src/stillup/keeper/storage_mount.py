"""The shared storage on a web server: mounted from a server that answers, and watched.

``glusterfs`` itself is a unit (``stillup-shared.service``), so that systemd starts it again when it
dies. Before each start, ``choose`` takes away what a dead one left ("Transport endpoint is not
connected") and names the servers that answer first: asked for the volume, a server that is dark
would cost 55 s. ``watch`` looks every second by a process of its own, as a look at a storage
that hangs does not come back, and writes down what it saw for the health page and for
``stillup status``.

Settings ``/etc/stillup/shared.json``: ``{"mount": "/srv/shared", "servers": ["10.0.0.6", ...]}``;
``servers`` is empty where systemd mounts it in another way, which is then only watched.
"""

import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stillup.errors import InputRefused, ServerUnreachable
from stillup.keeper.storage_settings import VOLUME

PATH = "/etc/stillup/shared.json"
STATE = "/run/stillup/shared.json"
CHOSEN = "/run/stillup/shared.env"
UNIT = "stillup-shared.service"
MANAGEMENT = 24007
ASK_S = 1.0
CHOOSE_S = 20.0
HANGS_S = 6.0
"""A dead storage server costs 3 to 5 s of silence: that is not yet a storage that hangs."""
GIVEN_UP_S = 60.0
"""After so long, whatever hangs is ended and mounted anew."""


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """The settings; see above."""

    mount: str
    servers: tuple[str, ...]


def read_settings(text: str) -> SharedSettings:
    """Return the settings.

    Raises:
        InputRefused: If they are not as above.
    """
    try:
        given = json.loads(text)
        mount, servers = given["mount"], tuple(map(str, given["servers"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputRefused(f"{PATH}: {error}") from error
    if not isinstance(mount, str) or not mount.startswith("/"):
        raise InputRefused(f"{PATH}: mount: must be a folder's path from /")
    return SharedSettings(mount, servers)


def ordered(servers: Iterable[str], answering: Iterable[str]) -> list[str]:
    """Return the servers in their order, those that answer before the others."""
    there = set(answering)
    return sorted(servers, key=lambda server: server not in there)


def choose(settings: SharedSettings) -> None:
    """Make the mount point free and write which servers to ask, in this order.

    Raises:
        ServerUnreachable: If none answers within 20 s; the unit then tries again.
    """
    while _is_mounted(settings.mount):
        subprocess.run(["umount", "--lazy", settings.mount], check=True, timeout=10)
    Path(settings.mount).mkdir(mode=0o755, parents=True, exist_ok=True)
    until_s = time.monotonic() + CHOOSE_S
    while not (answering := _answering(settings.servers)):
        if time.monotonic() > until_s:
            raise ServerUnreachable("no storage server answers")
        time.sleep(ASK_S)
    words = " ".join(f"--volfile-server={s}" for s in ordered(settings.servers, answering))
    beside = Path(f"{CHOSEN}.new")
    beside.write_text(f"SERVERS={words}\n")
    beside.replace(CHOSEN)


def _answering(servers: Iterable[str]) -> list[str]:
    """Return the servers that take a connection within a second; all are asked at once."""
    answering: list[str] = []
    with selectors.DefaultSelector() as selector:
        for server in servers:
            line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            line.settimeout(0)
            line.connect_ex((server, MANAGEMENT))
            selector.register(line, selectors.EVENT_WRITE, server)
        until_s = time.monotonic() + ASK_S
        while selector.get_map() and time.monotonic() < until_s:
            for key, _ in selector.select(max(0.0, until_s - time.monotonic())):
                line = _socket(key)
                selector.unregister(line)
                if not line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    answering.append(key.data)
                line.close()
        for key in list(selector.get_map().values()):
            _socket(key).close()
    return answering


def _socket(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj


def _is_mounted(mount: str) -> bool:
    # Not by looking at it, which may hang or fail.
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return any(line.split()[1].replace("\\040", " ") == mount for line in lines)


def state() -> tuple[bool, str]:
    """Return whether the storage is well by the last look, and why it is not."""
    try:
        age_s = time.time() - Path(STATE).stat().st_mtime
        told = json.loads(Path(STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False, "nobody has looked at the shared storage yet"
    if age_s > HANGS_S + 4:
        return False, "nobody looks at the shared storage: see stillup-shared-watch.service"
    return told["well"] is True, str(told["why"])


def missing(settings: SharedSettings) -> str:
    """Return why the storage is not mounted and well; "" also while no server knows the volume.

    The volume is made when the last of its servers is there, which may be changed after this one.
    """
    well, why = state()
    if well:
        return ""
    lists = [_volumes(server) for server in _answering(settings.servers)]
    known = [told for told in lists if told is not None]
    return "" if known and not any(VOLUME in told.split() for told in known) else why


def _volumes(server: str) -> str | None:
    """Return what a server's Gluster says of its volumes; None if it says nothing."""
    command = ["gluster", f"--remote-host={server}", "volume", "list"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=5, check=False, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if ran.returncode else ran.stdout + ran.stderr


def look(mount: str) -> str:
    """Return why the storage is not well, or "". It may hang."""
    if not _is_mounted(mount):
        return f"{mount} is not mounted"
    try:
        os.listdir(mount)  # noqa: PTH208 - only this asks the servers
    except OSError as error:
        return f"{mount}: {error.strerror}"
    return ""
