"""What a bench ran on, and what of ours it ran."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from bench.failover.box import python


def words() -> str:
    """Return the machine in a few words."""
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    model = ", ".join(sorted(models)) or platform.machine()
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GB, {system}, Linux {platform.release()}"


def python_version() -> str:
    """Return the version of the Python that our daemon runs with."""
    words = [python(), "--version"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[1]


def digest(folder: Path) -> str:
    """Return a short word that changes with any file of a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        found.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]
