"""The part of stillup that runs on a server, read from this installation and packed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from stillup.node import loader

SHARED = ("__init__.py", "errors.py")
"""The modules of ``stillup`` itself that both the node and the heartbeat import."""


@dataclass(frozen=True, slots=True)
class Code:
    """The node's code, packed, and the name it goes by."""

    packed: bytes = field(repr=False)
    sha256: str


@cache
def node_code() -> Code:
    """Return the code of the node. The same source gives the same bytes everywhere."""
    sources = _sources("node")
    packed = loader.pack({path: text.encode() for path, text in sources.items()})
    return Code(packed, hashlib.sha256(packed).hexdigest())


@cache
def heartbeat_code() -> Mapping[str, str]:
    """Return path and text of each source file that the heartbeat daemon needs."""
    return _sources("heartbeat")


@cache
def keeper_code() -> Mapping[str, str]:
    """Return path and text of each source file that the keepers need."""
    return _sources("keeper")


@cache
def server_code() -> Mapping[str, str]:
    """Return path and text of each source file of the daemons on the servers."""
    return {**heartbeat_code(), **keeper_code()}


def _sources(package: str) -> dict[str, str]:
    """Return ``stillup/...`` paths with their texts, sorted by path; the drills' page is PHP."""
    root = resources.files("stillup")
    found = {f"stillup/{name}": root.joinpath(name).read_text("utf-8") for name in SHARED}
    for file in root.joinpath(package).iterdir():
        if file.name.endswith((".py", ".php")):
            found[f"stillup/{package}/{file.name}"] = file.read_text("utf-8")
    return dict(sorted(found.items()))
