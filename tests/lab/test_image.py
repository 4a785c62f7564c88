"""The building of the image when the world is against it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillup.lab.recipe import image_hash

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_BUILD = """\
import sys
from pathlib import Path
from stillup.errors import LabFailed
from stillup.lab.image import image
try:
    image(lambda text: print(text, flush=True), Path(sys.argv[1]))
except LabFailed as error:
    print(error)
    raise SystemExit(1)
"""


def build_command(images: Path) -> list[str]:
    return [sys.executable, "-P", "-c", _BUILD, str(images)]


def builders(images: Path) -> list[str]:
    """Return the processes that work on images in this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(images) in words and "mmdebstrap" in words:
            found.append(words)
    return found


def test_a_killed_build_leaves_no_image_no_process_and_no_mount(tmp_path: Path) -> None:
    building = subprocess.Popen(build_command(tmp_path), stdout=subprocess.PIPE, text=True)
    assert building.stdout is not None
    while "apt-get update" not in building.stdout.readline():
        assert building.poll() is None
    assert builders(tmp_path)
    building.kill()
    building.communicate()
    until = time.monotonic() + 10
    while builders(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert builders(tmp_path) == []
    assert not (tmp_path / image_hash()).exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_without_a_network_the_build_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", *build_command(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("the image was not built: ")
    assert "is this machine online?" in last
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "build.log"]


def test_a_small_disk_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    mounted = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=9m none "$0" && exec "$@"']
    done = subprocess.run(
        [*mounted, str(tmp_path), *build_command(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "make room, or mount a larger disk there" in done.stdout
    assert done.stderr == ""


def test_what_an_interrupted_build_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / f".building-{image_hash()}" / "usr"
    leftover.mkdir(parents=True)
    subprocess.run(["unshare", "--net", *build_command(tmp_path)], capture_output=True, check=False)
    assert not leftover.parent.exists()
