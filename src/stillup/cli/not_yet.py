"""What a farm file may say already and this version cannot do yet, in one place.

A part that learns it takes its line out of here; with the last one this module goes.
"""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role


def not_yet(farm: Farm) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what cannot be applied yet: the key's path, and a sentence."""
    storages = farm.having(Role.STORAGE)
    if len(storages) > 1:
        yield ("servers", storages[1].name, "roles"), "this version runs one storage server"
