"""The daemon's settings: read from JSON, checked, every problem told at once.

``settings_reader.py`` takes the typed values out; here is what they are and what must hold.
Reading is apart from parsing: ``parse`` is pure, ``load`` reads the files. The key is read by
``key_file.py``.
"""

import ipaddress
import json
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from stillup.errors import InputRefused
from stillup.heartbeat.changing import LEASE_MS, Change, Side, change
from stillup.heartbeat.membership import Configuration
from stillup.heartbeat.quorum import Electorate
from stillup.heartbeat.settings_reader import Json, Reader, is_ipv4
from stillup.heartbeat.wire import NAME_BYTES

PORT = 6940
CONTROL = "/run/stillup/heartbeat.sock"
MOST_VIPS = 64
MOST_VOTERS = 250
DRAIN_S = (0, 86_400)
DEFAULT_DRAIN_S = 300
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
CHANGE_SUFFIX = ".change.json"
KNOWN = frozenset(
    [
        "farm",
        "name",
        "key_file",
        "port",
        "lease_ms",
        "candidates",
        "voters",
        "vips",
        "failback",
        "address",
        "interface",
        "watch",
        "direct",
        "drain_s",
        "haproxy",
        "witness",
        "change",
        "on_acquire",
        "on_release",
    ]
)


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP; each has a lease of its own.

    Args:
        address: IPv4 or IPv6, in its shortest spelling.
        prefix: The length of its network's prefix.
        preferred: The candidate that shall hold it if it can; None for whichever.
    """

    address: str
    prefix: int
    preferred: str | None


@dataclass(frozen=True, slots=True)
class Watch:
    """The service whose health decides whether this server is fit.

    Args:
        unit: Its systemd unit, whose cgroup tells its main process.
        pid_file: A file with its main process's number, for where there is no such cgroup.
        host: Where it is asked.
        port: Where it is asked.
        path: What is asked for.
    """

    unit: str | None
    pid_file: str | None
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """What to call it in logs."""
        return (self.unit or "the watched service").removesuffix(".service")


@dataclass(frozen=True, slots=True)
class DirectNetwork:
    """The balancers' second network.

    Args:
        address: This server's address there.
        peers: The other balancers' addresses there, by name.
    """

    address: str
    peers: dict[str, str]


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """Everything the daemon is told; see ``docs/heartbeat.md``."""

    farm: str
    name: str
    key_file: str
    port: int
    lease_s: float
    candidates: tuple[str, ...]
    voters: dict[str, str]
    vips: tuple[Vip, ...]
    address: str
    interface: str
    watch: Watch | None
    direct: DirectNetwork | None = None
    failback: bool = True
    drain_s: float = DEFAULT_DRAIN_S
    haproxy: str | None = None
    witness: str | None = None
    change: Change | None = None
    on_acquire: tuple[tuple[str, ...], ...] = ()
    on_release: tuple[tuple[str, ...], ...] = ()

    @property
    def configuration(self) -> Configuration:
        """Whose votes count, and whose datagrams are believed."""
        if self.change is not None:
            return self.change.configuration
        return Configuration(
            Electorate(tuple(self.voters), self.candidates, self.lease_s, self.witness)
        )

    @property
    def is_candidate(self) -> bool:
        """Whether this server may hold the addresses."""
        return self.name in self.candidates


def parse(data: bytes, file: str) -> DaemonSettings:
    """Return the settings in ``data``.

    Args:
        data: The JSON text.
        file: Its name, for the problems.

    Raises:
        InputRefused: With every problem on a line of its own.
    """
    try:
        values = json.loads(data)
    except ValueError as error:
        raise InputRefused(f"{file}: this is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputRefused(f"{file}: the settings must be a JSON object")
    settings, problems = of_values(values)
    if problems:
        raise InputRefused("\n".join(f"{file}: {problem}" for problem in problems))
    return settings


def of_values(values: dict[str, Json]) -> tuple[DaemonSettings, list[str]]:
    """Return settings from values, wherever they were read, and what is wrong with them.

    Returns:
        The settings, of use only if there is no problem; and the problems, each of which
        begins with its path, as ``vips[0].address: ...``.
    """
    reader = Reader(values)
    settings = DaemonSettings(
        farm=reader.text("farm"),
        name=reader.text("name"),
        key_file=reader.text("key_file"),
        port=reader.number("port", 1, 65535, PORT),
        lease_s=reader.number("lease_ms", *LEASE_MS, 500) / 1000,
        candidates=reader.names("candidates"),
        voters=reader.addresses("voters"),
        vips=_vips(reader),
        address=reader.ipv4("address"),
        interface=reader.text("interface"),
        watch=_watch(reader),
        direct=_direct(reader),
        failback=reader.truth("failback", default=True),
        drain_s=reader.number("drain_s", *DRAIN_S, DEFAULT_DRAIN_S),
        haproxy=reader.optional_text("haproxy"),
        witness=reader.ip("witness") if values.get("witness") is not None else None,
        change=change(reader),
        on_acquire=reader.commands("on_acquire"),
        on_release=reader.commands("on_release"),
    )
    if settings.change is not None:
        settings = _as_changing(settings, settings.change.side)
    unknown = sorted(set(values) - KNOWN)
    reader.problems += [f"{key}: there is no such setting" for key in unknown]
    if not reader.problems:
        reader.problems += _contradictions(settings)
    return settings, reader.problems


def _as_changing(settings: DaemonSettings, side: Side) -> DaemonSettings:
    """Return the settings with those who take part now, while the farm is being changed."""
    return replace(
        settings,
        voters=side.voters,
        candidates=side.candidates,
        lease_s=side.lease_s,
        witness=side.witness,
    )


def load(path: Path) -> DaemonSettings:
    """Read the settings file, and the change beside it if there is one.

    Raises:
        InputRefused: If it cannot be read or is wrong.
    """
    return parse(content(path), str(path))


def content(path: Path) -> bytes:
    """Return the settings file's text, with the change that stands in a file of its own beside it.

    That file is written and removed by whoever changes the farm, while the settings may already
    be those of after the change.

    Raises:
        InputRefused: If one of them cannot be read, or the change is no JSON object.
    """
    try:
        data = path.read_bytes()
        beside = path.with_suffix(CHANGE_SUFFIX)
        told = json.loads(beside.read_bytes()) if beside.exists() else None
        values = json.loads(data) if told else None
    except OSError as error:
        raise InputRefused(f"{path}: the settings cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputRefused(f"{path}: this, or the change beside it, is not JSON: {error}") from None
    if not isinstance(values, dict):
        return data
    return json.dumps({**values, "change": told}).encode()


def _vips(reader: Reader) -> tuple[Vip, ...]:
    value = reader.values.get("vips")
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_VIPS:
        reader.problems.append(f"vips: must list 1 to {MOST_VIPS} virtual IPs")
        return ()
    return tuple(_vip(reader, f"vips[{place}]", each) for place, each in enumerate(value))


def _vip(reader: Reader, place: str, value: Json) -> Vip:
    if not isinstance(value, dict):
        reader.problems.append(f"{place}: must be an object with an address")
        return Vip("", 32, None)
    inner = Reader(value)
    address = inner.ip("address")
    if address and not _can_be_held(address):
        inner.problems.append(f"address: {address} is no address that one server can have")
    most = 128 if ":" in address else 32
    vip = Vip(address, inner.number("prefix", 1, most, most), inner.optional_text("preferred"))
    reader.within(place, inner)
    return vip


def _can_be_held(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True  # that it is none is told already
    strange = found.is_multicast or found.is_unspecified or found.is_loopback
    return not strange and found != _BROADCAST


def _watch(reader: Reader) -> Watch | None:
    value = reader.values.get("watch")
    if value is None:
        return None
    if not isinstance(value, dict):
        reader.problems.append("watch: must be an object, or null to watch nothing")
        return None
    inner = Reader(value)
    check = inner.text("check")
    unit, pid_file = inner.optional_text("unit"), inner.optional_text("pid_file")
    if unit is None and pid_file is None:
        inner.problems.append("unit: name the systemd unit to watch, or a pid_file")
    host, port, path = _url(check, inner)
    reader.within("watch", inner)
    return Watch(unit, pid_file, host, port, path)


def _direct(reader: Reader) -> DirectNetwork | None:
    value = reader.values.get("direct")
    if value is None:
        return None
    if not isinstance(value, dict):
        reader.problems.append("direct: must be an object, or null for no second network")
        return None
    inner = Reader(value)
    direct = DirectNetwork(inner.ipv4("address"), inner.addresses("peers"))
    reader.within("direct", inner)
    return direct


def _url(check: str, inner: Reader) -> tuple[str, int, str]:
    try:
        parts = urlsplit(check)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if check and (parts.scheme != "http" or not is_ipv4(host)):
        inner.problems.append(f"check: {check} is not like http://127.0.0.1:8405/alive")
    return host, port, parts.path or "/"


def _unsound(settings: DaemonSettings) -> list[str]:
    """Return what makes the electorate's quorums unsound, as the core says it."""
    try:
        _ = settings.configuration
    except ValueError as error:
        return [f"candidates: {error}"]
    return []


def _contradictions(settings: DaemonSettings) -> list[str]:
    problems = []
    if settings.voters.get(settings.name) != settings.address:
        problems.append(
            f"name: {settings.name} is not in voters with the address {settings.address}"
        )
    problems += [
        f"voters: the name {name} is longer than {NAME_BYTES} bytes"
        for name in settings.voters
        if len(name.encode(errors="replace")) > NAME_BYTES
    ]
    if len(settings.voters) > MOST_VOTERS:
        told = f"{len(settings.voters)} servers are more than the {MOST_VOTERS}"
        problems.append(f"voters: {told} that a daemon can listen to")
    problems += [
        f"candidates: {name} is not in voters"
        for name in settings.candidates
        if name not in settings.voters
    ]
    if settings.direct is not None:
        problems += [
            f"direct.peers: {name} is not another candidate"
            for name in settings.direct.peers
            if name not in settings.candidates or name == settings.name
        ]
    seen: set[str] = set()
    for place, vip in enumerate(settings.vips):
        if vip.address in settings.voters.values():
            problems.append(f"vips[{place}].address: {vip.address} is a server's own address")
        if vip.address in seen:
            problems.append(f"vips[{place}].address: {vip.address} is listed twice")
        if vip.preferred is not None and vip.preferred not in settings.candidates:
            problems.append(f"vips[{place}].preferred: {vip.preferred} is not in candidates")
        seen.add(vip.address)
    return problems or _unsound(settings)
