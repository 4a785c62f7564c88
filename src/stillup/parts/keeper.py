"""The keepers' code on a server: what starts the database or the storage where several share it."""

from collections.abc import Mapping
from importlib import resources

from stillup.node.bundle import Directory, File

CODE = "/usr/lib/stillup/keeper"
PACKAGE = "stillup/keeper/"
RUN = ("/usr/bin/env", f"PYTHONPATH={CODE}", "/usr/bin/python3", "-m", "stillup.keeper")
"""How a keeper is run; the word for which one follows."""
DIRECTORIES = (Directory("/etc/stillup"), Directory(CODE))


def code_files(code: Mapping[str, str]) -> tuple[File, ...]:
    """Return the keepers' code out of that of all daemons, path below ``src`` to text."""
    ours = {path: text for path, text in code.items() if is_ours(path)}
    return tuple(File(f"{CODE}/{path}", text) for path, text in sorted(ours.items()))


def is_ours(path: str) -> bool:
    """Tell whether a keeper needs the file: its own, and ``stillup``'s modules that all need."""
    return path.startswith(PACKAGE) or path.count("/") == 1


def unit(name: str) -> str:
    """Return the text of a keeper's unit, which stands beside its code."""
    return (resources.files("stillup.keeper") / name).read_text("utf-8")
