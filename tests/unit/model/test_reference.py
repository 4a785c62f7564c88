"""The reference page, the JSON Schema and the examples say what the model says.

``REWRITE=1`` writes the page and the schema anew.
"""

import json
import os
import re
from pathlib import Path

import pytest

from stillup.model.farm import Farm
from stillup.model.read import read_farm
from stillup.model.reference import json_schema, reference_page
from stillup.model.schema import TABLES

ROOT = Path(__file__).resolve().parents[3]
ANNOTATED = (ROOT / "examples/annotated.toml").read_text(encoding="utf-8")
# heartbeat.toml is for the heartbeat without a farm: tests/unit/alone. Secrets are there once
# somebody has brought an example up.
EXAMPLES = sorted(
    each
    for each in (ROOT / "examples").glob("*.toml")
    if each.name != "heartbeat.toml" and not each.name.endswith(".secrets.toml")
)


def up_to_date(path: Path, text: str) -> bool:
    if os.environ.get("REWRITE") == "1":
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8") == text


def test_the_reference_page_is_what_the_annotated_example_and_the_model_make_of_it() -> None:
    assert up_to_date(ROOT / "docs/farm-file.md", reference_page(ANNOTATED))


def test_the_schema_for_editors_is_what_the_model_makes_of_it() -> None:
    assert up_to_date(ROOT / "docs/farm.schema.json", json_schema())


def test_every_key_is_on_the_reference_page_under_its_table_with_what_it_means() -> None:
    page = reference_page(ANNOTATED)
    sections = dict(re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for path, table in TABLES.items():
        for name, field in table.model_fields.items() if path else ():
            assert f"- `{name}` (" in sections[path[0]]
            assert field.description is not None
            assert field.description in sections[path[0]]


@pytest.mark.parametrize(
    "example",
    EXAMPLES,
    ids=lambda p: p.name,
)
def test_every_example_is_a_sound_farm(example: Path) -> None:
    assert isinstance(read_farm(example.read_bytes(), example.name), Farm)


@pytest.mark.parametrize(
    "example",
    EXAMPLES,
    ids=lambda p: p.name,
)
def test_every_example_names_the_schema_in_its_first_line(example: Path) -> None:
    first = example.read_text(encoding="utf-8").split("\n")[0]
    assert first == "#:schema ../docs/farm.schema.json"


def test_the_schema_knows_every_key_and_allows_no_other() -> None:
    schema = json.loads(json_schema())
    for path, table in TABLES.items():
        name = table.__name__
        part = schema if not path else schema["$defs"][name]
        assert set(part["properties"]) == set(table.model_fields)
        assert part["additionalProperties"] is False
    assert "null" not in json_schema()
