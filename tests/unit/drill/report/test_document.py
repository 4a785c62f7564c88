"""The report for programs. ``REWRITE=1`` writes its schema anew."""

import json
import os
from pathlib import Path

import pytest
from tests.unit.drill.report.runs import drill, power_off, run

from stillup.drill.report.document import NotAReport, json_schema, read, written
from stillup.drill.verdict import Word

SCHEMA = Path(__file__).resolve().parents[4] / "docs/drill.schema.json"


def test_a_run_is_read_back_as_it_was_written() -> None:
    text = written(run(drill(power_off("lb1"), 0.4), drill(power_off("data1"), 0.2, lost=2)))
    assert written(read(text, "run.json")) == text


def test_programs_find_the_verdict_and_the_figures() -> None:
    told = json.loads(written(run(drill(power_off("data1"), 1.4, Word.BROKEN, lost=2))))
    played = told["run"]["played"][0]
    assert (told["format"], told["word"], played["name"], played["verdict"]["figures"]["lost"]) == (
        "stillup drill 1",
        "broken",
        "power-off data1",
        {"row at data1": [101, 102]},
    )


def test_the_schema_is_what_the_values_make_of_it_and_explains_its_fields() -> None:
    if os.environ.get("REWRITE") == "1":
        SCHEMA.write_text(json_schema(), encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), "REWRITE=1 writes it anew"
    fields = json.loads(json_schema())["$defs"]["Asked"]["properties"]
    assert fields["done"]["description"].startswith("How many were answered as they should be")


@pytest.mark.parametrize("text", ["", "[]", '{"format": "stillup drill 2"}', '{"word": "kept"}'])
def test_what_is_no_report_is_refused_with_the_file_and_the_way_out(text: str) -> None:
    with pytest.raises(NotAReport, match=r"^old\.json: not a report of .* leave --compare out$"):
        read(text, "old.json")
