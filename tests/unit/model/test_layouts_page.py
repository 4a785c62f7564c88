"""The table of docs/layouts.md says what ``check`` says of such farms."""

import re
from pathlib import Path

import pytest
from tests.unit.model.test_weakness import farm_of

from stillup.model.farm import Role
from stillup.model.redundancy import redundancy
from stillup.model.survival import survival
from stillup.model.weakness import single_points_of_failure

PAGE = Path(__file__).resolve().parents[3] / "docs/layouts.md"
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| `[bwsd]+`", line)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].replace("`", ""))
def test_a_layout_survives_what_the_page_says(row: tuple[str, ...]) -> None:
    farm = farm_of(*row[0].replace("`", "").split())
    found = {one.role: str(one.survives) for one in redundancy(farm)}
    weak = {one.code for one in single_points_of_failure(farm)}
    assert row[1:] == (
        str(survival(farm).anyhow),
        found[Role.DATABASE],
        found.get(Role.STORAGE, "-"),
        row[4],
    )
    assert weak == ({*row[4].split(", ")} - {"none"})


def test_the_page_has_its_table() -> None:
    assert len(ROWS) > 5
