"""A lab for a test: a farm file in a folder of its own, and the command as a person types it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillup.lab.lab import Lab, down
from stillup.lab.shell import client_command
from stillup.lab.state import home_of
from stillup.model.farm import Farm
from stillup.model.read import read_farm

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "tests/farms/small.toml"
_END_S = 300.0
_SAID = 4000


@dataclass(frozen=True)
class RunningLab:
    """One farm's lab; ``lab`` acts on it directly, ``stillup`` as a person would."""

    farm_path: Path
    farm: Farm
    lab: Lab

    def stillup(
        self, *words: str, check: bool = True, within_s: float = _END_S
    ) -> subprocess.CompletedProcess[str]:
        """Run ``stillup -f FARM WORDS...``; with ``check`` its failure fails the test."""
        try:
            done = subprocess.run(
                self.command(*words), capture_output=True, text=True, timeout=within_s, check=False
            )
        except subprocess.TimeoutExpired as late:
            # What it said until then is all there is to find out by: bytes, whatever was asked.
            said = b"".join(part for part in (late.stdout, late.stderr) if isinstance(part, bytes))
            pytest.fail(f"{words}: not done after {within_s:.0f} s: {said.decode()[-_SAID:]}")
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def command(self, *words: str) -> list[str]:
        """Return the argument list of ``stillup -f FARM WORDS...``."""
        return [sys.executable, "-P", "-m", "stillup", "-f", str(self.farm_path), *words]

    def client(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the host's programs as one more host on the LAN."""
        done = subprocess.run(
            self.client_command(*words), capture_output=True, text=True, timeout=_END_S, check=False
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def client_command(self, *words: str) -> list[str]:
        """Return the argument list that runs a program on the LAN; for ``Popen``."""
        return client_command(self.lab.home, words)

    def shell(self, server: str, line: str, *, check: bool = True) -> str:
        """Run a line in a machine's shell, entered through its console; return its output."""
        done = self.stillup(
            "lab", "shell", "--console", server, "--", "sh", "-c", line, check=check
        )
        return done.stdout

    def reaches(self, address: str) -> bool:
        """Say whether the client's ping gets an answer within a second."""
        return self.client("ping", "-c1", "-W1", address, check=False).returncode == 0

    def make_whole(self) -> None:
        """Heal every link and switch every machine on: how a test must leave a shared lab."""
        if self.lab.is_up():
            self.lab.heal()
            self.lab.up()


def copy_of(farm_path: Path, folder: Path) -> Path:
    """Copy a farm file and its site, so that a test may change both; return the copy's path."""
    shutil.copytree(farm_path.parent / "site", folder / "site")
    return Path(shutil.copy(farm_path, folder / "farm.toml"))


@contextmanager
def lab_of(farm_path: Path) -> Iterator[RunningLab]:
    """Speak of a farm's lab, not yet up; it is removed at the end, whatever happened."""
    read = read_farm(farm_path.read_bytes(), farm_path.name)
    assert isinstance(read, Farm), read
    try:
        yield RunningLab(farm_path, read, Lab(read, farm_path))
    finally:
        down(home_of(None, farm_path))
