"""An apply that is killed, or runs out of disk, at every single step, and is run again."""

import json
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.node.interruption import full_at, killed_at
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import ARCHIVE, bundle, leftovers, plan, quiet, run, server

from stillup.errors import ChangeTakenBack
from stillup.node.apply import apply
from stillup.node.bundle import Absent, Bundle, File, Health, Link, Unit
from stillup.node.journal import PATH as JOURNAL

pytestmark = pytest.mark.slow
STEPS_MAX = 400


@pytest.fixture
def place() -> Iterator[Path]:
    # In memory: flushing is what an apply does most, and these run it hundreds of times.
    folder = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=folder if folder.is_dir() else None) as made:
        yield Path(made)


def before() -> Bundle:
    """What the server has: two engines, a link and a file that the next bundle drops."""
    return replace(
        bundle("one\n"),
        files=(File("/etc/engine.conf", "one\n"), File("/etc/other.conf", "one\n"), PLAIN),
        links=(Link("/etc/enabled-site", "/etc/engine.conf"), Link("/etc/old-link", "/nowhere")),
        units=(ENGINE, OTHER, Unit("leaving.service")),
    )


def after(text: str = "two\n") -> Bundle:
    """What it should have next."""
    return replace(
        bundle(text),
        files=(
            File("/etc/engine.conf", text),
            File("/etc/other.conf", "two\n", mode=0o640),
            File("/etc/new/deep/key", "hunter-secret-22\n", mode=0o600, secret=True),
        ),
        links=(Link("/etc/enabled-site", "/etc/other.conf"),),
        absent=(Absent("/etc/default-site"), Absent("/etc/plain.conf")),
        units=(ENGINE, OTHER, Unit("coming.service")),
        healths=(
            Health("engine answers", ("healthy", "engine.service"), within_s=2.0),
            Health("other answers", ("healthy", "other.service"), within_s=2.0),
        ),
    )


PLAIN = File("/etc/plain.conf", "plain\n")
ENGINE = Unit("engine.service", reload_on=("/etc/engine.conf",))
OTHER = Unit("other.service", restart_on=("/etc/other.conf",))


def snapshot(world: Folder) -> dict[str, object]:
    """Return all that must be the same in the end, however often it was interrupted."""
    tree: dict[str, object] = {}
    for path in sorted(world.root.rglob("*")):
        name = str(path.relative_to(world.root))
        if name.startswith(("var/lib/stillup", "scripted", "run")):
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            tree[name] = str(path.readlink())
        else:
            tree[name] = (mode, path.read_text() if path.is_file() else None)
    manifest = world.root / "var/lib/stillup/manifest.json"
    noted = json.loads(manifest.read_text()) if manifest.exists() else {}
    noted.pop("completes", None)
    # A note of a folder that is gone does no harm, and goes with the next change.
    noted["folders"] = [
        path for path in noted.get("folders", []) if (world.root / path.lstrip("/")).is_dir()
    ]
    return {"tree": tree, "noted": noted, "script": world.state(), "left": leftovers(world)}


def server_with(place: Path, wanted: Bundle | None) -> Folder:
    world = server(place)
    if wanted is not None:
        run(world, wanted)
    return world


def copies(original: Folder) -> Iterator[Folder]:
    """Return one copy of a server after another; the earlier one is removed."""
    for number in range(1, STEPS_MAX):
        root = original.root.with_name(f"copy{number}")
        shutil.copytree(original.root, root, symlinks=True)
        yield Folder(root, ARCHIVE)
        shutil.rmtree(root)


def apply_to(world: Folder, wanted: Bundle) -> Callable[[], object]:
    def act() -> object:
        return apply(world, wanted, overwrite=False, report=quiet)

    return act


def failing(world: Folder, wanted: Bundle) -> Callable[[], object]:
    def act() -> object:
        with pytest.raises(ChangeTakenBack):
            apply(world, wanted, overwrite=False, report=quiet)
        return None

    return act


@pytest.mark.parametrize("start", [None, before()], ids=["a bare server", "a change"])
def test_killed_at_any_step_and_applied_again_it_arrives_at_the_same_end(
    place: Path, start: Bundle | None
) -> None:
    original = server_with(place / "original", start)
    straight = server_with(place / "straight", start)
    run(straight, after())
    steps = 0
    for world in copies(original):
        was_killed = killed_at(steps + 1, apply_to(world, after()))
        run(world, after())
        assert snapshot(world) == snapshot(straight), f"killed at step {steps + 1}"
        if not was_killed:
            break
        steps += 1
    assert steps > 40


def test_killed_twice_it_still_arrives(place: Path) -> None:
    original = server_with(place / "original", before())
    straight = server_with(place / "straight", before())
    run(straight, after())
    for number, world in enumerate(copies(original), start=1):
        was_killed = killed_at(number, apply_to(world, after()))
        killed_at(max(1, (number * 7) % 50), apply_to(world, after()))
        run(world, after())
        assert snapshot(world) == snapshot(straight), f"killed at step {number}"
        if not was_killed:
            break


def test_killed_at_any_step_it_can_be_taken_back_by_applying_what_was_before(place: Path) -> None:
    original = server_with(place / "original", before())
    steps = 0
    for world in copies(original):
        was_killed = killed_at(steps + 1, apply_to(world, after()))
        run(world, before())
        again = snapshot(world)
        # Accounts, packages and Debian's file are not taken back; there were none to add here.
        assert again == {**snapshot(original), "script": again["script"]}, f"step {steps + 1}"
        assert world.unit("coming.service") == ("inactive", "disabled")
        assert world.unit("leaving.service") == ("active", "enabled")
        assert world.state()["runs"]["engine.service"] == ["one\n"]
        assert world.state()["runs"]["other.service"] == ["one\n"]
        if not was_killed:
            break
        steps += 1
    assert steps > 40


@pytest.mark.parametrize("word", ["SICK", "BROKEN"])
def test_killed_at_any_step_of_a_failing_apply_the_next_takes_it_all_back(
    place: Path, word: str
) -> None:
    original = server_with(place / "original", before())
    failed = after(f"{word}\n")
    steps = 0
    for world in copies(original):
        was_killed = killed_at(steps + 1, failing(world, failed))
        failing(world, failed)()
        found = snapshot(world)
        assert found == {**snapshot(original), "script": found["script"]}, f"step {steps + 1}"
        assert world.state()["units"] | original.state()["units"] == world.state()["units"]
        assert world.unit("coming.service") == ("inactive", "disabled")
        assert world.state()["runs"]["engine.service"] == ["one\n"]
        assert world.state()["runs"]["other.service"] == ["one\n"]
        assert plan(world, before()) == []
        if not was_killed:
            break
        steps += 1
    assert steps > 20


def test_a_full_disk_at_any_step_is_one_clear_error_and_all_is_as_before(place: Path) -> None:
    original = server_with(place / "original", before())
    refused = 0
    for number, world in enumerate(copies(original), start=1):
        needs, error = full_at(number, world.root, apply_to(world, after()))
        if not error:
            assert needs < number
            break
        assert "the disk is full" in error or error.startswith("OSError: [Errno 28]"), error
        found = snapshot(world)
        assert found == {**snapshot(original), "script": found["script"]}, f"need {number}"
        assert world.state()["runs"]["engine.service"] == ["one\n"], f"need {number}: {error}"
        assert world.state()["runs"]["other.service"] == ["one\n"]
        run(world, after())
        refused += 1
    assert refused > 8


def test_a_journal_that_cannot_be_read_has_every_unit_take_notice(place: Path) -> None:
    world = server_with(place / "original", before())
    (world.root / JOURNAL.lstrip("/")).write_text('{"key": "ab", "planned": {"/etc')
    assert plan(world, before()) == [
        "reaction systemd reload",
        "reaction engine.service reload",
        "reaction other.service restart",
    ]
    run(world, before())
    assert leftovers(world) == []
    assert plan(world, before()) == []
