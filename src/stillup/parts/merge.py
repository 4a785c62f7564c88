"""Joins what the parts want of one server into one bundle, and refuses contradictions.

Two parts may want the same thing (a package, a folder); they may not want it differently.
That would be a bug in the parts, so it is a ``ValueError`` and not a problem of the user's.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeVar

from stillup.node.bundle import Bundle

Item = TypeVar("Item")


def merge(farm: str, server: str, fragments: Iterable[Bundle]) -> Bundle:
    """Return one bundle; order is the order of ``fragments``, doubles are dropped.

    Raises:
        ValueError: If two fragments want the same path, user, sysctl, unit, check, command or
            health differently, or one wants a path that another wants absent.
    """
    parts = tuple(fragments)
    bundle = Bundle(
        farm,
        server,
        packages=tuple(dict.fromkeys(chain.from_iterable(part.packages for part in parts))),
        users=_joined((part.users for part in parts), lambda item: item.name),
        directories=_joined((part.directories for part in parts), lambda item: item.path),
        sysctls=_joined((part.sysctls for part in parts), lambda item: item[0]),
        files=_joined((part.files for part in parts), lambda item: item.path),
        links=_joined((part.links for part in parts), lambda item: item.path),
        absent=_joined((part.absent for part in parts), lambda item: item.path),
        checks=_joined((part.checks for part in parts), lambda item: item.name),
        commands=_joined((part.commands for part in parts), lambda item: item.name),
        units=_joined((part.units for part in parts), lambda item: item.name),
        healths=_joined((part.healths for part in parts), lambda item: item.name),
    )
    _refuse_contradictions(bundle)
    return bundle


def _joined(groups: Iterable[Iterable[Item]], key: Callable[[Item], str]) -> tuple[Item, ...]:
    found: dict[str, Item] = {}
    for item in chain.from_iterable(groups):
        if found.setdefault(key(item), item) != item:
            raise ValueError(f"two parts want {key(item)} differently")
    return tuple(found.values())


def _refuse_contradictions(bundle: Bundle) -> None:
    kinds = (bundle.directories, bundle.files, bundle.links, bundle.absent)
    seen: set[str] = set()
    for path in (item.path for kind in kinds for item in kind):
        if path in seen:
            raise ValueError(f"two parts want {path} to be different things")
        seen.add(path)
