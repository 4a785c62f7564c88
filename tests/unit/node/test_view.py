"""The view in which an engine's checker finds a change in place before it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stillup.node import view

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")


def see(moves: dict[str, bool], *argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", view.__file__, *argv],
        input=json.dumps(moves),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc"
    (etc / "engine" / "parts").mkdir(parents=True)
    (etc / "engine" / "main.conf").write_text("old\n")
    (etc / "engine" / "leaving.conf").write_text("leaving\n")
    (etc / "engine" / "parts" / "one.conf").write_text("one\n")
    (etc / "engine" / "link.conf").symlink_to("parts/one.conf")
    (etc / "engine" / ".main.conf.stillup-new").write_text("new\n")
    (etc / "engine" / ".added.conf.stillup-new").write_text("added\n")
    (etc / "engine" / "parts" / ".one.conf.stillup-new").write_text("one, new\n")
    (etc / ".link.stillup-new").symlink_to("engine/main.conf")
    return etc


def moves(etc: Path) -> dict[str, bool]:
    return {
        f"{etc}/engine/main.conf": True,
        f"{etc}/engine/added.conf": True,
        f"{etc}/engine/leaving.conf": False,
        f"{etc}/engine/parts/one.conf": True,
        f"{etc}/link": True,
    }


def test_a_program_finds_every_next_content_in_its_place(etc: Path) -> None:
    seen = see(moves(etc), "sh", "-c", f"cd {etc}/engine; ls -A . parts; grep -r . . ../link")
    listed, found = seen.stdout.split("parts:\none.conf\n")
    assert listed.split() == [".:", "added.conf", "link.conf", "main.conf", "parts"]
    assert sorted(found.splitlines()) == [
        "../link:new",
        "./added.conf:added",
        "./main.conf:new",
        "./parts/one.conf:one, new",
    ]


def test_nothing_of_the_view_is_seen_outside_or_stays(etc: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    see(moves(etc), "sh", "-c", f"echo overwritten > {etc}/engine/other.conf")
    assert Path("/proc/self/mountinfo").read_text() == before
    assert not (etc / "engine" / "other.conf").exists()
    assert (etc / "engine" / "main.conf").read_text() == "old\n"


def test_the_programs_own_code_and_words_come_through(etc: Path) -> None:
    seen = see({}, "sh", "-c", "echo line 3: unknown word >&2; exit 7")
    assert (seen.returncode, seen.stderr) == (7, "line 3: unknown word\n")


def test_a_program_that_does_not_exist_is_said(etc: Path) -> None:
    seen = see({}, "no-such-engine")
    assert (seen.returncode, seen.stderr) == (127, "no-such-engine: No such file or directory\n")


def test_a_next_content_that_is_missing_makes_no_view(etc: Path) -> None:
    seen = see({f"{etc}/engine/missing.conf": True}, "true")
    assert seen.returncode == view.NO_VIEW
    assert "no view of the change could be made" in seen.stderr
