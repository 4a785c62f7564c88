"""``./test``: what runs a second time, what fails for good, and what is told as unknown."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = ("scripts/prepare", *(f".venv/bin/{name}" for name in ("ruff", "mypy", "lint-imports")))
CASES = {
    "a test without machines fails once": (
        "def test_unit(): first_time_fails('unit')",
        0,
        ("what failed, once more", "1 passed"),
    ),
    "a test without machines fails twice, and a machine's once": (
        "def test_unit(): assert not 'unit'\n"
        "@pytest.mark.lab\ndef test_lab(): first_time_fails('lab')",
        1,
        ("1 failed", "1 passed"),
    ),
    "a machine's test fails once": (
        "@pytest.mark.lab\ndef test_lab(): first_time_fails('lab')",
        0,
        ("what failed, once more", "1 passed"),
    ),
    "a machine's test that runs beside the others fails once": (
        "@pytest.mark.lab\n@pytest.mark.apart\ndef test_lab(): first_time_fails('apart')",
        0,
        ("what failed, once more", "1 passed"),
    ),
    "a test of namespaces fails once": (
        "@pytest.mark.netns\ndef test_netns(): first_time_fails('netns')",
        0,
        ("what failed, once more", "1 passed"),
    ),
    "a test of namespaces fails twice": (
        "@pytest.mark.netns\ndef test_netns(): assert not 'netns'",
        1,
        ("what failed, once more", "1 failed"),
    ),
    "a test that wants the machine for itself fails once": (
        "@pytest.mark.netns\n@pytest.mark.crowding\ndef test_alone(): first_time_fails('alone')",
        0,
        ("what failed, once more", "1 passed"),
    ),
    "two holders": (
        "@pytest.mark.lab\ndef test_lab():\n    first_time_fails('two answered for the address')",
        1,
        ("not run again",),
    ),
    "not measured": (
        "@pytest.mark.lab\ndef test_lab(): pytest.skip('not measured: the host was busy')",
        0,
        ("UNKNOWN, which is not passed", "not measured: the host was busy"),
    ),
}
BEGINNING = """\
import pathlib, pytest
def first_time_fails(why):
    mark = pathlib.Path("was-here")
    if not mark.exists():
        mark.touch()
        raise AssertionError(why)
"""


@pytest.mark.parametrize(("text", "code", "words"), CASES.values(), ids=CASES)
def test_the_command_ends_as_it_should(
    tmp_path: Path, text: str, code: int, words: tuple[str, ...]
) -> None:
    shutil.copy(ROOT / "test", tmp_path)
    for stub in (*STUBS, ".venv/bin/stillup", ".venv/bin/python"):
        path = tmp_path / stub
        path.parent.mkdir(parents=True, exist_ok=True)
        what = f'exec {sys.executable} "$@"' if stub.endswith("python") else ":"
        path.write_text(f"#!/bin/sh\n{what}\n")
        path.chmod(0o755)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    lab: x\n    netns: x\n    long: x\n    crowding: x\n    apart: x\n"
    )
    (tmp_path / "test_it.py").write_text(BEGINNING + text + "\n")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # which would take most of the time
    done = subprocess.run(
        ["./test"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert all(word in done.stdout for word in words), done.stdout
