"""A run as JSON, and back: the report for programs, and what a later run is compared with.

The shape is ``run.Run`` itself; ``docs/drill.schema.json`` is made of it, with the fields' own
descriptions. A change that a reader would notice gets the next number in ``FORMAT``.
"""

import json
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillup.drill.report.run import Run
from stillup.drill.verdict import Word
from stillup.errors import InputRefused

FORMAT: Final = "stillup drill 1"
DECIMALS = 4
"""A tenth of a millisecond: more is not measured."""


class Document(BaseModel):
    """What ``stillup drill --json`` writes: one run of drills and what became of it.

    Times named ``_s`` are seconds, rounded to a tenth of a millisecond. Those of one drill count
    from when its workload began.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    format: Literal["stillup drill 1"] = Field(default=FORMAT)
    """Which shape this is; another one gets another number."""
    word: Word
    """The verdict of the whole run: ``broken`` if one drill's is, ``kept`` if all are and all were
    played, else ``unknown``."""
    run: Run


class NotAReport(InputRefused):
    """A file that should be an earlier report is not one."""


def written(run: Run) -> str:
    """Return a run as JSON text, one line."""
    document = Document(word=run.word, run=run)
    return json.dumps(_rounded(document.model_dump(mode="json")), ensure_ascii=False) + "\n"


def read(text: str, name: str) -> Run:
    """Return the run that a report tells of.

    Args:
        text: JSON, as ``written`` makes it.
        name: The file's name, for the error.

    Raises:
        NotAReport: If it is none, or of another format.
    """
    try:
        return Document.model_validate_json(text).run
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotAReport(
            f"{name}: not a report of `stillup drill --json` in the format `{FORMAT}`"
            f" ({place or 'the whole file'}: {first['msg']}); give one, or leave --compare out"
        ) from error


def json_schema() -> str:
    """Return the JSON Schema of a report, as text."""
    return json.dumps(Document.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def _rounded(part: object) -> object:
    match part:
        case float():
            return round(part, DECIMALS)
        case dict():
            return {key: _rounded(value) for key, value in part.items()}
        case list():
            return [_rounded(value) for value in part]
        case _:
            return part
