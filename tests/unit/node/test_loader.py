"""The loader: the node's code brought to a server, once, whole, and by two at once."""

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

from stillup.node.loader import PROGRAM, pack

SESSION = b"""
import sys
def main():
    print("session got", sys.stdin.buffer.read().decode())
"""
FILES = {
    "stillup/__init__.py": b"",
    "stillup/errors.py": b"",
    "stillup/node/__init__.py": b"",
    "stillup/node/session.py": SESSION,
}
ARCHIVE = pack(FILES)
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


def start(base: Path) -> "subprocess.Popen[bytes]":
    program = PROGRAM.replace("/usr/lib/stillup", str(base))
    return subprocess.Popen(
        [sys.executable, "-I", "-c", program, DIGEST, str(len(ARCHIVE))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # it lowers its session
    )


def load(base: Path, given: bytes) -> "subprocess.Popen[bytes]":
    process = start(base)
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    return process


def told(process: "subprocess.Popen[bytes]") -> list[str]:
    with process:
        assert process.stdout is not None
        return process.stdout.read().decode().splitlines()


def homes(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir())


def test_the_archive_is_the_same_for_the_same_files() -> None:
    assert pack(dict(reversed(FILES.items()))) == ARCHIVE
    with zipfile.ZipFile(BytesIO(ARCHIVE)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_a_new_server_needs_the_code_and_the_next_time_has_it(tmp_path: Path) -> None:
    base = tmp_path / "lib"
    assert told(load(base, ARCHIVE + b"requests")) == ["need", "session got requests"]
    assert told(load(base, b"requests")) == ["have", "session got requests"]
    assert homes(base) == [f"node-{DIGEST}"]
    assert base.stat().st_mode & 0o777 == 0o755


def test_a_line_cut_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    process = load(tmp_path / "lib", ARCHIVE[:100])
    assert told(process) == ["need", "failed what arrived is not what was sent"]
    assert process.returncode == 1
    assert homes(tmp_path / "lib") == []


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (line,) = told(load(tmp_path / "file" / "lib", b""))
    assert line.startswith("failed [Errno 20] Not a directory")


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    several = [start(tmp_path / "lib") for _ in range(4)]
    answers = []
    for process in several:
        assert process.stdin is not None
        assert process.stdout is not None
        # All have said what they need before the first is given it.
        answers.append(process.stdout.readline())
    for process, answer in zip(several, answers, strict=True):
        assert process.stdin is not None
        process.stdin.write(ARCHIVE * (answer == b"need\n") + b"x")
        process.stdin.close()
    assert answers[0] == b"need\n"
    assert [told(process) for process in several] == [["session got x"]] * 4
    assert homes(tmp_path / "lib") == [f"node-{DIGEST}"]


def test_the_newest_two_others_are_kept_and_what_a_dead_one_left_goes(tmp_path: Path) -> None:
    base = tmp_path / "lib"
    for age in range(5):
        (base / f"node-{age}").mkdir(parents=True)
        os.utime(base / f"node-{age}", (time.time() - age * 100,) * 2)
    (base / ".new-dead").mkdir()
    os.utime(base / ".new-dead", (time.time() - 7200,) * 2)
    (base / ".new-other").mkdir()
    (base / "heartbeat").mkdir()
    told(load(base, ARCHIVE))
    assert homes(base) == [".new-other", "heartbeat", "node-0", "node-1", f"node-{DIGEST}"]
