"""Takes typed values out of the settings' JSON and notes what is wrong with them: pure."""

import ipaddress
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(slots=True)
class Reader:
    """One object of the JSON.

    Args:
        values: The object.
        problems: What is wrong with it, each beginning with its key.
    """

    values: dict[str, Json]
    problems: list[str] = field(default_factory=list)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty."""
        value = self.values.get(key, default)
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{key}: must be a text that is not empty")
        return ""

    def optional_text(self, key: str) -> str | None:
        """Return a text, or None where there is none."""
        return None if self.values.get(key) is None else self.text(key)

    def number(self, key: str, least: int, most: int, default: int) -> int:
        """Return a whole number between the limits, both included."""
        value = self.values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.problems.append(f"{key}: must be a whole number from {least} to {most}")
        return default

    def truth(self, key: str, *, default: bool) -> bool:
        """Return yes or no."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.problems.append(f"{key}: must be true or false")
        return value is True

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        """Return commands, each the path of a program and its arguments; none if it is missing."""
        value = self.values.get(key, [])
        found = tuple(map(_command, value)) if isinstance(value, list) else ((),)
        if all(found):
            return found
        self.problems.append(
            f'{key}: must be a list of commands, as [["/usr/local/sbin/move", "here"]]'
        )
        return ()

    def ipv4(self, key: str) -> str:
        """Return an IPv4 address."""
        value = self.text(key)
        if value and not is_ipv4(value):
            self.problems.append(f"{key}: {value} is not an IPv4 address")
        return value

    def ip(self, key: str) -> str:
        """Return an IPv4 or IPv6 address in its shortest spelling."""
        value = self.text(key)
        try:
            found = ipaddress.ip_address(value) if value else None
        except ValueError:
            found = None
        if value and (found is None or "%" in value):
            self.problems.append(f"{key}: {value} is not an IP address")
        return value if found is None else str(found)

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of different names that is not empty."""
        value = self.values.get(key)
        if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
            names = tuple(str(name) for name in value)
            if len(set(names)) == len(names):
                return names
        self.problems.append(f"{key}: must be a list of different names")
        return ()

    def addresses(self, key: str) -> dict[str, str]:
        """Return different IPv4 addresses by their names, at least one."""
        value = self.values.get(key)
        if not isinstance(value, dict) or not value:
            self.problems.append(f"{key}: must give each server's address by its name")
            return {}
        found = {name: str(address) for name, address in value.items()}
        for name, address in found.items():
            if not is_ipv4(address):
                self.problems.append(f"{key}.{name}: {address} is not an IPv4 address")
        if len(set(found.values())) != len(found):
            self.problems.append(f"{key}: two servers have the same address")
        return found

    def within(self, prefix: str, inner: "Reader") -> None:
        """Take over the problems of an object inside this one."""
        self.problems += [f"{prefix}.{problem}" for problem in inner.problems]


def is_ipv4(value: str) -> bool:
    """Return whether this is an IPv4 address."""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _command(value: Json) -> tuple[str, ...]:
    """Return a command; nothing if it is none."""
    if not isinstance(value, list) or not value:
        return ()
    words = tuple(word for word in value if isinstance(word, str))
    return words if len(words) == len(value) and words[0].startswith("/") else ()
