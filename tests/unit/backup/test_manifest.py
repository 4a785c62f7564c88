"""The manifest is read back as it was written, and anything else is refused in a sentence."""

import json
from dataclasses import replace

import pytest

from stillup.backup.manifest import (
    FORMAT,
    DatabasePoint,
    Manifest,
    Part,
    SharedFiles,
    read_manifest,
    write_manifest,
)
from stillup.errors import BackupBroken

NAME = "shop-20260304-050607Z"
PART = Part("database.gz", 10, "ab", 5, "cd")
WHOLE = Manifest(
    FORMAT,
    NAME,
    "shop",
    "2026-03-04T05:06:07+00:00",
    "stillup 1",
    encrypted=False,
    secrets=True,
    parts={"database": PART, "tables": PART, "farm": PART, "files": PART},
    database=DatabasePoint("db1", "11.8.6", 17, None, "uuid:4", 3, 9),
    files=SharedFiles("web1", ("uploads",), 4, 100, "ef", 0),
    checked="db1",
)


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert read_manifest(write_manifest(WHOLE), NAME) == WHOLE
    assert WHOLE.stored_bytes == 20


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b'{"format": 1}', b"\xff\xfe", b"null"])
def test_what_is_no_manifest_is_refused(broken: bytes) -> None:
    with pytest.raises(BackupBroken, match="not what stillup wrote"):
        read_manifest(broken, NAME)


def test_a_later_format_says_so() -> None:
    data = json.dumps({"format": FORMAT + 1, "all": "new"}).encode()
    with pytest.raises(BackupBroken, match="later version of stillup"):
        read_manifest(data, NAME)


def test_a_manifest_of_another_backup_or_without_its_parts_is_refused() -> None:
    other = write_manifest(replace(WHOLE, name="shop-20250101-000000Z"))
    with pytest.raises(BackupBroken, match="of another backup"):
        read_manifest(other, NAME)
    with pytest.raises(BackupBroken, match="of another backup"):
        read_manifest(write_manifest(replace(WHOLE, parts={"database": PART})), NAME)
