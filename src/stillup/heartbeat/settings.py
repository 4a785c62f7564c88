"""The daemon's settings: read from JSON, checked, every problem told at once.

Reading is apart from parsing: ``parse`` is pure, ``load`` reads the two files. The key file
holds one key a line, at least 16 characters; the first signs, every one is believed, so a key
is rotated by adding it last, then moving it first, then taking the old one out.
"""

import hashlib
import ipaddress
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from stillup.errors import InputRefused

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

PORT = 6940
CONTROL = "/run/stillup/heartbeat.sock"
LEASE_MS = (100, 10_000)
KEY_BYTES = 16
KNOWN = frozenset(
    {
        "farm",
        "name",
        "key_file",
        "port",
        "lease_ms",
        "candidates",
        "voters",
        "vips",
        "address",
        "interface",
        "watch",
    }
)


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP."""

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
class DaemonSettings:
    """Everything the daemon is told; see ``docs/heartbeat.md``."""

    farm: str
    name: str
    key_file: str
    port: int
    lease_s: float
    candidates: tuple[str, ...]
    voters: dict[str, str]
    vip: Vip
    address: str
    interface: str
    watch: Watch | None

    @property
    def is_candidate(self) -> bool:
        """Whether this server may hold the address."""
        return self.name in self.candidates


@dataclass(slots=True)
class _Reader:
    """Takes typed values out of the JSON and notes what is wrong with them."""

    values: dict[str, Json]
    problems: list[str] = field(default_factory=list)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{key}: must be a text that is not empty")
        return ""

    def optional_text(self, key: str) -> str | None:
        return None if self.values.get(key) is None else self.text(key)

    def number(self, key: str, least: int, most: int, default: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.problems.append(f"{key}: must be a whole number from {least} to {most}")
        return default

    def ipv4(self, key: str) -> str:
        value = self.text(key)
        if value and not _is_ipv4(value):
            self.problems.append(f"{key}: {value} is not an IPv4 address")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            names = tuple(str(name) for name in value)
            if len(set(names)) == len(names):
                return names
        self.problems.append(f"{key}: must be a list of different names")
        return ()

    def addresses(self, key: str) -> dict[str, str]:
        value = self.values.get(key)
        if not isinstance(value, dict) or not value:
            self.problems.append(f"{key}: must give each server's address by its name")
            return {}
        found = {name: str(address) for name, address in value.items()}
        for name, address in found.items():
            if not _is_ipv4(address):
                self.problems.append(f"{key}.{name}: {address} is not an IPv4 address")
        if len(set(found.values())) != len(found):
            self.problems.append(f"{key}: two servers have the same address")
        return found

    def within(self, prefix: str, inner: "_Reader") -> None:
        self.problems += [f"{prefix}.{problem}" for problem in inner.problems]


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
    reader = _Reader(values)
    settings = DaemonSettings(
        farm=reader.text("farm"),
        name=reader.text("name"),
        key_file=reader.text("key_file"),
        port=reader.number("port", 1, 65535, PORT),
        lease_s=reader.number("lease_ms", *LEASE_MS, 500) / 1000,
        candidates=reader.names("candidates"),
        voters=reader.addresses("voters"),
        vip=_vip(reader),
        address=reader.ipv4("address"),
        interface=reader.text("interface"),
        watch=_watch(reader),
    )
    unknown = sorted(set(values) - KNOWN)
    reader.problems += [f"{key}: there is no such setting" for key in unknown]
    if not reader.problems:
        reader.problems += _contradictions(settings)
    if reader.problems:
        raise InputRefused("\n".join(f"{file}: {problem}" for problem in reader.problems))
    return settings


def keys(data: bytes, file: str) -> dict[int, bytes]:
    """Return the keys in the text of a key file, by their id; the first signs.

    A key's id is the first byte of its SHA-256, so that servers agree on it in whatever order
    the file lists the keys.

    Raises:
        InputRefused: If there is no key, one is too short, or two have the same id.
    """
    found: dict[int, bytes] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        key = line.strip()
        if not key:
            continue
        if len(key) < KEY_BYTES:
            raise InputRefused(f"{file}:{number}: a key needs at least {KEY_BYTES} characters")
        identity = hashlib.sha256(key).digest()[0]
        if identity in found and found[identity] != key:
            raise InputRefused(f"{file}:{number}: this key cannot be told from another; make anew")
        found[identity] = key
    if not found:
        raise InputRefused(f"{file}: there is no key in it")
    return found


def load(path: Path) -> DaemonSettings:
    """Read the settings file.

    Raises:
        InputRefused: If it cannot be read or is wrong.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputRefused(f"{path}: the settings cannot be read: {error.strerror}") from None
    return parse(data, str(path))


def load_keys(settings: DaemonSettings, credentials: str | None) -> dict[int, bytes]:
    """Read the key file, or the copy of it that systemd hands to the service.

    Args:
        settings: For the key file's path.
        credentials: systemd's ``$CREDENTIALS_DIRECTORY``, None outside a service; a file in
            it of the key file's name is taken first. systemd keeps others out of it.

    Raises:
        InputRefused: If it cannot be read, others can read it, or it is wrong.
    """
    path = Path(settings.key_file)
    handed = Path(credentials) / path.name if credentials else None
    try:
        if handed is not None and handed.exists():
            return keys(handed.read_bytes(), settings.key_file)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise InputRefused(
                    f"{path}: others can read or change this key (mode {mode & 0o777:04o}); "
                    f"run: chmod 0600 {path}, and make a new key"
                )
            return keys(file.read(), str(path))
    except OSError as error:
        raise InputRefused(f"{path}: the key cannot be read: {error.strerror}") from None


def _vip(reader: _Reader) -> Vip:
    value = reader.values.get("vips")
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        reader.problems.append("vips: must list exactly one virtual IP")
        return Vip("", 32, None)
    inner = _Reader(value[0])
    vip = Vip(
        inner.ipv4("address"), inner.number("prefix", 1, 32, 32), inner.optional_text("preferred")
    )
    reader.within("vips[0]", inner)
    return vip


def _watch(reader: _Reader) -> Watch | None:
    value = reader.values.get("watch")
    if value is None:
        return None
    if not isinstance(value, dict):
        reader.problems.append("watch: must be an object, or null to watch nothing")
        return None
    inner = _Reader(value)
    check = inner.text("check")
    unit, pid_file = inner.optional_text("unit"), inner.optional_text("pid_file")
    if unit is None and pid_file is None:
        inner.problems.append("unit: name the systemd unit to watch, or a pid_file")
    host, port, path = _url(check, inner)
    reader.within("watch", inner)
    return Watch(unit, pid_file, host, port, path)


def _url(check: str, inner: _Reader) -> tuple[str, int, str]:
    try:
        parts = urlsplit(check)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if check and (parts.scheme != "http" or not _is_ipv4(host)):
        inner.problems.append(f"check: {check} is not like http://127.0.0.1:8405/alive")
    return host, port, parts.path or "/"


def _contradictions(settings: DaemonSettings) -> list[str]:
    problems = []
    if settings.voters.get(settings.name) != settings.address:
        problems.append(
            f"name: {settings.name} is not in voters with the address {settings.address}"
        )
    problems += [
        f"candidates: {name} is not in voters"
        for name in settings.candidates
        if name not in settings.voters
    ]
    if settings.vip.address in settings.voters.values():
        problems.append(f"vips[0].address: {settings.vip.address} is a server's own address")
    preferred = settings.vip.preferred
    if preferred is not None and preferred not in settings.candidates:
        problems.append(f"vips[0].preferred: {preferred} is not in candidates")
    return problems


def _is_ipv4(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True
