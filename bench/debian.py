"""Debian's packages unpacked into a cache folder: nothing is installed, no service starts here."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def cache(name: str) -> Path:
    """Return the folder in which a bench keeps what it downloads."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return home / "stillup" / name


def unpacked(folder: Path, name: str, packages: Sequence[str]) -> Path:
    """Return a folder with some packages and those of theirs that this host lacks.

    apt works out what is missing and downloads it; ``lib`` and ``sbin`` go where Debian has
    them, into ``usr``.
    """
    root = folder / name
    if not (root / "complete").exists():
        archives = folder / f"{name}-archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        words = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "--download-only"]
        words += ["-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root"]
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*words, *packages], check=True, stdout=subprocess.DEVNULL)
        root.mkdir(exist_ok=True)
        for package in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
        for old in ("bin", "sbin", "lib"):
            if (root / old).is_dir() and not (root / old).is_symlink():
                shutil.copytree(root / old, root / "usr" / old, symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(root / old)
        (root / "complete").touch()
    return root


def libraries(root: Path) -> str:
    """Return the value of ``LD_LIBRARY_PATH`` with which programs in ``root`` find theirs."""
    return ":".join(sorted({str(library.parent) for library in root.rglob("*.so.*")}))


def versions(root: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the version of each of some unpacked packages, by its archive's name."""
    archives = root.parent / f"{root.name}-archives"
    found = {}
    for package in packages:
        for archive in archives.glob(f"{package}_*.deb"):
            found[package] = archive.name.split("_")[1].replace("%3a", ":")
    return found
