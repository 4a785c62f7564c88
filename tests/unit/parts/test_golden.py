"""Every file of every server of a few farms, as it would be installed, compared with golden files.

``REWRITE=1`` writes them anew; the difference is then reviewed as code. Left out are the
daemons' own code and units, which are not made here. What is no file stands in ``bundle.txt``, and
so does which of the templates a file is, letter for letter: that is reviewed where it stands.
"""

import os
import shutil
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
from tests.unit.parts.farms import CASES, GOLDEN, Case

from stillup.node.bundle import Bundle
from stillup.parts import database_keeper, keeper
from stillup.parts.heartbeat import CODE, UNIT

REWRITE = os.environ.get("REWRITE") == "1"
TEMPLATES = resources.files("stillup.parts") / "templates"


@cache
def templates() -> dict[str, str]:
    """Return the name of each template by its text."""
    return {
        template.read_text(encoding="utf-8"): f"{folder.name}/{template.name}"
        for folder in TEMPLATES.iterdir()
        for template in folder.iterdir()
    }


def as_files(bundle: Bundle) -> dict[str, str]:
    """Return the golden files of a server: path below its folder to text."""
    files = {
        file.path.lstrip("/"): file.text
        for file in bundle.files
        if file.text not in templates()
        and file.path not in {UNIT, database_keeper.UNIT_FILE, database_keeper.STARTS}
        and not file.path.startswith((f"{CODE}/", f"{keeper.CODE}/"))
    }
    return {**files, "bundle.txt": "\n".join(described(bundle)) + "\n"}


def described(bundle: Bundle) -> list[str]:
    """Return everything of a bundle but its files' texts, a line each."""
    return [
        *(f"package {name}" for name in bundle.packages),
        *(f"user {user.name}" for user in bundle.users),
        *(f"folder {at.path} {at.mode:04o} {at.owner}:{at.group}" for at in bundle.directories),
        *(f"sysctl {key} = {value}" for key, value in bundle.sysctls),
        *(
            f"file {file.path} {file.mode:04o} {file.owner}:{file.group}"
            + (" secret" if file.secret else "")
            + (f" is {templates()[file.text]}" if file.text in templates() else "")
            for file in bundle.files
        ),
        *(f"link {item.path} -> {item.target}" for item in bundle.links),
        *(f"absent {item.path}" for item in bundle.absent),
        *(f"check {item.name}: {' '.join(item.argv)}" for item in bundle.checks),
        *(
            f"command {item.name} (needs {item.needs or 'nothing'}): {' '.join(item.argv)}\n"
            f"{item.stdin}-- unless: {' '.join(item.unless)}\n{item.unless_stdin}".rstrip("\n")
            for item in bundle.commands
        ),
        *(
            f"unit {unit.name}"
            + "".join(f"\n  reload on {path}" for path in unit.reload_on)
            + "".join(f"\n  restart on {path}" for path in unit.restart_on)
            for unit in bundle.units
        ),
        *(
            f"health {item.name} within {item.within_s} s: {' '.join(item.argv)}"
            for item in bundle.healths
        ),
    ]


def rewrite(folder: Path, files: dict[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_server_gets_what_the_golden_files_say(case: Case) -> None:
    for name, bundle in case.bundles().items():
        folder = GOLDEN / case.name / name
        files = as_files(bundle)
        if REWRITE:
            rewrite(folder, files)
        golden = {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        assert files == golden, f"the files of {name} differ; REWRITE=1 takes them over"


def test_no_golden_folder_is_left_of_a_server_that_is_gone() -> None:
    known = {GOLDEN / case.name / server for case in CASES for server in case.bundles()}
    there = {path for case in CASES for path in (GOLDEN / case.name).iterdir() if path.is_dir()}
    assert there == known
