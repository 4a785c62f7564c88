"""The keeper's settings: a JSON file without secrets, and the key file it names."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stillup.errors import InputRefused

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SETTINGS = Path("/etc/stillup/database.json")
PORT = 9200
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """Who this server is and who the others are.

    Args:
        name: This server.
        address: Where it listens.
        port: The keepers' port.
        peers: The other servers that hold data, by name, with their addresses.
        arbiter: The server that only votes; None where there is none.
        key_file: Where the key lies that signs what keepers tell each other.
    """

    name: str
    address: str
    port: int
    peers: Mapping[str, str]
    arbiter: str | None
    key_file: Path

    @property
    def addresses(self) -> dict[str, str]:
        """Name of each server that holds data, by address."""
        return {self.address: self.name, **{at: name for name, at in self.peers.items()}}


def load(path: Path = SETTINGS) -> Settings:
    """Read the settings.

    Raises:
        InputRefused: If the file cannot be read or is wrong.
    """
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path}: cannot be read: {error}") from error


def parse(text: str, source: str) -> Settings:
    """Return the settings that ``text`` says.

    Raises:
        InputRefused: If it is wrong; all that is wrong is said, with the key.
    """
    try:
        values: Json = json.loads(text)
    except ValueError as error:
        raise InputRefused(f"{source}: is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputRefused(f"{source}: must be an object")
    peers = values.get("peers")
    known = (
        {name: at for name, at in peers.items() if _is_ip(at)} if isinstance(peers, dict) else {}
    )
    problems = [
        f"{key}: must be {what}"
        for key, is_right, what in (
            ("name", _is_text(values.get("name")), "the server's name"),
            ("address", _is_ip(values.get("address")), "this server's IP address"),
            ("port", _is_port(values.get("port", PORT)), "a number from 1 to 65535"),
            ("peers", known == peers, "the other servers' names with their IP addresses"),
            ("arbiter", _is_name(values.get("arbiter")), "a server's name, or null"),
            ("key_file", _is_text(values.get("key_file")), "the path of the key"),
        )
        if not is_right
    ]
    if problems:
        raise InputRefused(f"{source}: {'; '.join(problems)}")
    arbiter, port = values.get("arbiter"), values.get("port", PORT)
    return Settings(
        str(values["name"]),
        str(values["address"]),
        port if isinstance(port, int) else PORT,
        {name: str(at) for name, at in known.items()},
        None if arbiter is None else str(arbiter),
        Path(str(values["key_file"])),
    )


def load_key(path: Path) -> bytes:
    """Read the key.

    Raises:
        InputRefused: If it cannot be read or is not ``KEY_BYTES`` as hexadecimal digits.
    """
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        # Not the error's own text: it may quote the key.
        raise InputRefused(f"{path}: cannot be read as a key: {type(error).__name__}") from None
    if len(key) != KEY_BYTES:
        raise InputRefused(f"{path}: must hold {2 * KEY_BYTES} hexadecimal digits")
    return key


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and value != ""


def _is_name(value: Json) -> bool:
    return value is None or _is_text(value)


def _is_port(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def _is_ip(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
