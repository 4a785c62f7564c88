"""Debian packages: which are there, what they left untouched, installing more.

A package is installed without letting its service start (it would run with Debian's default
configuration for a moment): ``policy-rc.d`` says no while apt runs. An upgrade is not our
business. What apt itself says is never shown but for its own last error line.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stillup.errors import ServerFailed
from stillup.node.disk import new_of, read_regular, sha256, write_whole
from stillup.node.look import look
from stillup.node.observed import Seen, SeenFile, SeenLink
from stillup.node.world import NOT_FOUND, OUT_OF_TIME, Ran, World, at

POLICY = "/usr/sbin/policy-rc.d"
POLICY_MARK = b"# stillup: no service starts while packages are installed"
UCF_HASHES = "/var/lib/ucf/hashfile"
HOSTS = "/etc/hosts"
APT_S = 1200.0
APT = (
    "apt-get",
    "-q",
    "-y",
    "-o",
    "DPkg::Lock::Timeout=60",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
}
OUTDATED = re.compile(r"Unable to locate|no installation candidate|Failed to fetch|404 ")
INTERRUPTED = "dpkg was interrupted"
PACKAGED = "/var/lib/stillup/packaged.json"
LOOPBACK = re.compile(r"(127\.|::1$|fe00::|ff00::|ff02::)")


def installed(world: World, names: Sequence[str]) -> frozenset[str]:
    """Return which of ``names`` are installed and configured."""
    if not names:
        return frozenset()
    ran = world.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names])
    if ran.code in {NOT_FOUND, OUT_OF_TIME}:
        raise ServerFailed("dpkg-query does not run here; stillup needs a Debian server")
    lines = (line.split() for line in ran.out.decode(errors="replace").splitlines())
    return frozenset(line[0] for line in lines if line[1:] == ["installed"])


def pristine(world: World, strangers: Mapping[str, Seen]) -> frozenset[str]:
    """Return which of these paths hold nothing but what their package or installer put there.

    Known from dpkg (conffiles), from ucf, from what ``remember`` noted, from a link that leads to such a file, and for
    ``/etc/hosts`` from naming nobody but the server itself.
    """
    if not strangers:
        return frozenset()
    sums, noted = {**_ucf_sums(world), **_conffile_sums(world)}, _remembered(world)
    return frozenset(
        path
        for path, seen in strangers.items()
        if (path in noted and noted[path] == _digest(seen)) or _is_pristine(world, path, sums)
    )


def remember(world: World, fresh: Iterable[str]) -> None:
    """Note how our packages left these paths, for an apply that is not completed.

    The next one finds them there, and dpkg knows only of some of them.
    """
    seen = {path: _digest(look(world, path)) for path in fresh}
    found = {path: digest for path, digest in seen.items() if digest}
    if found:
        noted = json.dumps({**_remembered(world), **found}).encode()
        # A full disk must not stop what is being taken back; then they count as made by hand.
        with contextlib.suppress(OSError):
            write_whole(at(world, PACKAGED), noted)


def _remembered(world: World) -> dict[str, str]:
    with contextlib.suppress(ValueError, AttributeError):
        noted = json.loads(read_regular(at(world, PACKAGED)) or b"{}")
        return {str(path): str(digest) for path, digest in noted.items()}
    return {}


def _digest(seen: Seen) -> str:
    if isinstance(seen, SeenFile):
        return sha256(seen.data)
    return f"link {seen.target}" if isinstance(seen, SeenLink) else ""


def _is_pristine(world: World, path: str, sums: Mapping[str, str]) -> bool:
    place = at(world, path)
    if place.is_symlink():
        inside = world.root.resolve()
        with contextlib.suppress(ValueError):
            path = f"/{place.resolve().relative_to(inside)}"
        place = at(world, path)
    data = read_regular(place)
    if data is None:
        return False
    if path == HOSTS:
        return _names_only_itself(data)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return sums.get(path) == digest


def _names_only_itself(data: bytes) -> bool:
    lines = (line.split("#")[0].split() for line in data.decode(errors="replace").splitlines())
    return all(LOOPBACK.match(line[0]) for line in lines if line)


def _conffile_sums(world: World) -> dict[str, str]:
    ran = world.run(["dpkg-query", "-W", "-f", "${Conffiles}\\n"])
    lines = (line.split() for line in ran.out.decode(errors="replace").splitlines())
    return {line[0]: line[1] for line in lines if len(line) == 2}


def _ucf_sums(world: World) -> dict[str, str]:
    text = (read_regular(at(world, UCF_HASHES)) or b"").decode(errors="replace")
    lines = (line.split(None, 1) for line in text.splitlines())
    return {line[1]: line[0] for line in lines if len(line) == 2}


def install(world: World, names: Sequence[str]) -> None:
    """Install packages, starting nothing.

    Raises:
        ServerFailed: If apt does not, with apt's own last error.
    """
    with _nothing_starts(world):
        ran = _apt(world, "install", "--no-install-recommends", *names)
        if INTERRUPTED in _said(ran):
            world.run(["dpkg", "--configure", "-a"], within_s=APT_S, environment=ENVIRONMENT)
            ran = _apt(world, "install", "--no-install-recommends", *names)
        if ran.code and OUTDATED.search(_said(ran)):
            _apt(world, "update")
            ran = _apt(world, "install", "--no-install-recommends", *names)
    if ran.code:
        raise ServerFailed(
            f"installing {' '.join(names)} failed, nothing else was changed: {_last_error(ran)}"
        )


def _apt(world: World, *arguments: str) -> Ran:
    return world.run([*APT, *arguments], within_s=APT_S, environment=ENVIRONMENT)


@contextlib.contextmanager
def _nothing_starts(world: World) -> Iterator[None]:
    """Keep services from starting on installation, unless the server has a policy of its own."""
    place = at(world, POLICY)
    # A link is a policy too: the administrator's own, or Debian's alternatives (policy-rcd-declarative).
    if not os.path.lexists(place):
        write_whole(place, b"#!/bin/sh\n%s\nexit 101\n" % POLICY_MARK, 0o755)
    try:
        yield
    finally:
        remove_left_policy(world)


def remove_left_policy(world: World) -> None:
    """Remove our policy, also one that an apply left that was killed while apt ran."""
    place = at(world, POLICY)
    new_of(place).unlink(missing_ok=True)
    if not place.is_symlink() and POLICY_MARK in (read_regular(place) or b""):
        place.unlink()


def _said(ran: Ran) -> str:
    return (ran.out + ran.err).decode(errors="replace")


def _last_error(ran: Ran) -> str:
    if ran.code == OUT_OF_TIME:
        return f"apt-get did not end within {APT_S:.0f} s"
    lines: Iterable[str] = _said(ran).splitlines()
    errors = [line[3:].strip() for line in lines if line.startswith("E: ")]
    return errors[-1] if errors else f"apt-get ended with code {ran.code} and no error line"
