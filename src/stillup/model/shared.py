"""The rules of the shared storage: who has it, and which folders of the site live there (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from stillup.model import values
from stillup.model.problems import Path, shown
from stillup.model.refused import sound

MOST_DATABASES = 5
"""Each commit goes to all of them; more would only make it slower."""
MOST_STORAGES = 3
"""Gluster keeps a copy of each file on every one of them, and votes among three."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken rule: where, what, and the problem's code."""

    path: Path
    text: str
    code: str


def too_many(databases: list[str], storages: list[str]) -> Iterator[Broken]:
    """Yield a problem for each server that has a role which enough others have already."""
    for role, names, most in (
        ("database", databases, MOST_DATABASES),
        ("storage", storages, MOST_STORAGES),
    ):
        for name in names[most:]:
            told = f"{most} servers have the role {shown(role)} already, and no more can have it"
            yield Broken(("servers", name, "roles"), told, f"too-many-{role}-servers")


def broken(
    folders: list[tuple[Path, object]], document_root: object, *, has_storage: bool | None
) -> Iterator[Broken]:
    """Yield each rule that the shared folders break; passes over what is not sound by itself.

    Args:
        folders: What the farm file gives as ``site.shared``, each with its path.
        document_root: What it gives as ``site.document_root``.
        has_storage: Whether a server has the role storage; None if that cannot be told.
    """
    if folders and has_storage is False:
        told = 'needs a server with the role "storage"; give it to one, or better to two'
        yield Broken(("site", "shared"), told, "shared-without-storage")
    read = [(path, sound(values.shared_folder, item)) for path, item in folders]
    given = [(path, folder) for path, folder in read if folder is not None]
    yield from _apart(given)
    served = sound(values.shared_folder, document_root)
    for path, folder in given:
        if served and folder != "." and served != "." and _lies_in(served, folder):
            told = (
                f"{shown(folder)} holds what is served (site.document_root), which a release could "
                'then no longer change; share folders inside it, or "." for the whole site'
            )
            yield Broken(path, told, "shared-document-root")


def _apart(given: list[tuple[Path, str]]) -> Iterator[Broken]:
    for place, (path, folder) in enumerate(given):
        if folder in [other for _, other in given[:place]]:
            yield Broken(path, f"{shown(folder)} is listed twice", "listed-twice")
            continue
        round_it = [other for _, other in given if other != folder and _lies_in(folder, other)]
        if round_it:
            told = f"{shown(folder)} lies in {shown(round_it[0])}, which is shared as a whole; leave it out"
            yield Broken(path, told, "shared-nested")


def _lies_in(folder: str, other: str) -> bool:
    return other == "." or f"{folder}/".startswith(f"{other}/")
