"""What outlives a command."""

import threading
from pathlib import Path

import pytest

from stillup.errors import LabFailed
from stillup.lab.state import Home, home_of, locked, read_record, write_file, write_record


def test_a_lab_is_found_by_its_farm_file_when_the_farm_has_got_another_name(tmp_path: Path) -> None:
    farm_path = tmp_path / "farm.toml"
    before = home_of("shop", farm_path, tmp_path)
    before.path.mkdir()
    assert home_of("store", farm_path, tmp_path) == before
    assert home_of(None, farm_path, tmp_path) == before


def test_of_a_removal_that_was_killed_at_its_end_the_next_leaves_nothing(tmp_path: Path) -> None:
    farm_path = tmp_path / "farm.toml"
    home = home_of("shop", farm_path, tmp_path)
    home.path.with_name(f".{home.id}.lock").touch()
    with locked(home_of(None, farm_path, tmp_path), "down", print):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_read_as_written(tmp_path: Path) -> None:
    write_record(tmp_path / "record", {"a": [1, "b"]})
    assert read_record(tmp_path / "record") == {"a": [1, "b"]}
    assert read_record(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_record_is_said_with_the_way_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "record").write_text(text)
    with pytest.raises(LabFailed, match="damaged; `stillup lab down`"):
        read_record(tmp_path / "record")


def test_a_written_file_is_private_unless_said_otherwise(tmp_path: Path) -> None:
    write_file(tmp_path / "secret", "x")
    write_file(tmp_path / "public", "x", 0o644)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_is_one_sentence_and_keeps_what_was_there() -> None:
    with pytest.raises(LabFailed, match="cannot write /dev/full/x: Not a directory"):
        write_file(Path("/dev/full/x"), "x")


def test_a_second_command_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "lab")
    home.path.mkdir()
    heard, order = threading.Event(), []

    def report(text: str) -> None:
        order.append(text.partition(" (")[0])
        heard.set()

    def second() -> None:
        with locked(home, "heal", report):
            order.append("second")

    with locked(home, "up", report):
        other = threading.Thread(target=second)
        other.start()
        assert heard.wait(10)
        order.append("first")
    other.join(10)
    assert order == ["waiting for `stillup lab up`", "first", "second"]


def test_the_lock_goes_away_with_the_lab(tmp_path: Path) -> None:
    home = Home(tmp_path / "lab")
    with locked(home, "down", print):
        pass
    assert list(tmp_path.iterdir()) == []
