"""The key file: read, or refused in a sentence that does not show the key."""

from pathlib import Path

import pytest

from stillup.errors import InputRefused
from stillup.heartbeat.key_file import keys, load_keys

KEY = b"0123456789abcdef"


def test_the_first_key_signs_and_all_are_known_by_the_same_ids_in_any_order() -> None:
    other = b"another key of sixteen or more"
    first, second = keys(KEY + b"\n" + other + b"\n", "k"), keys(other + b"\n\n" + KEY, "k")

    assert list(first.values()) == [KEY, other]
    assert list(second.values()) == [other, KEY]
    assert set(first) == set(second)


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"\n", "k: there is no key in it"), (b"short\n", "k:1: a key needs at least 16 characters")],
)
def test_a_wrong_key_file_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(InputRefused, match=problem):
        keys(data, "k")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o666])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY)
    file.chmod(mode)

    with pytest.raises(InputRefused, match="chmod 0600") as refused:
        load_keys(str(file), None)
    assert KEY.decode() not in str(refused.value)


def test_systemds_copy_of_the_key_is_taken_first(tmp_path: Path) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "heartbeat.key").write_bytes(KEY)

    assert list(load_keys("/none/heartbeat.key", str(handed)).values()) == [KEY]
