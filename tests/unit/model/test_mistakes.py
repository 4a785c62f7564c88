"""What a user reads for typical mistakes: every file in mistakes/ with its sentences beside it.

``REWRITE=1`` writes the sentences anew; the difference is to be read as a user would.
"""

import os
from pathlib import Path

import pytest

from stillup.model.farm import Farm
from stillup.model.problems import listing
from stillup.model.read import read_farm

MISTAKES = Path(__file__).parent / "mistakes"


@pytest.mark.parametrize("file", sorted(MISTAKES.glob("*.toml")), ids=lambda file: file.stem)
def test_a_mistake_is_told_in_these_words(file: Path) -> None:
    read = read_farm(file.read_bytes(), "farm.toml")
    assert not isinstance(read, Farm)
    told = listing(read) + "\n"
    expected = file.with_suffix(".txt")
    if os.environ.get("REWRITE") == "1":
        expected.write_text(told, encoding="utf-8")
    assert told == expected.read_text(encoding="utf-8")
