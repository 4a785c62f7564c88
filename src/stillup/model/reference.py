"""What is written about the farm file from its own definition: schema and reference page."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stillup.model.problems import shown
from stillup.model.schema import TABLES, FarmFile

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

SCHEMA_NAME = "farm.schema.json"

_HEADER = re.compile(r"\[(\w+)\]")
_INTRODUCTION = """\
# The farm file

<!-- Made from examples/annotated.toml and stillup.model.schema; do not edit it here. -->

`farm.toml` says what the farm is; `stillup init` writes one to start from, and `stillup check`
tells everything that is wrong with it, by line. It is [TOML](https://toml.io), at most 1 MB.
A key that is not listed here is an error, as it is most likely one of these mistyped.

- A duration is a number with `ms`, `s` or `min`: `"500ms"`, `"1.5s"`, `"2min"`.
- A size is a whole number with `MB` or `GB`, an MB being 1024 * 1024 bytes: `"128MB"`.
- A path is relative to the farm file; `~` is your home.
- Secrets are not in here. They are made on first use, in `farm.secrets.toml` beside it, which only
  its owner may read and git is told to ignore.

An editor that knows TOML (VS Code with Even Better TOML, Helix, Zed, ...) completes keys and marks
mistakes with the JSON Schema `farm.schema.json`: `stillup init` writes it beside the farm file, which
names it in its first line.
"""


def json_schema() -> str:
    """Return the JSON Schema of a farm file, for editors, as text."""
    schema = FarmFile.model_json_schema()
    return json.dumps(_tidied(schema), indent=2, ensure_ascii=False) + "\n"


def reference_page(annotated: str) -> str:
    """Return the reference page in Markdown.

    Args:
        annotated: A farm file with every key, each table with a comment above it.
    """
    parts = [_INTRODUCTION]
    for name, text in _tables(annotated):
        parts.append(f"\n## [{name}]\n\n```toml\n{text.strip()}\n```\n\n")
        table = TABLES.get((name,)) or TABLES[name, "*"]
        parts += [_key_line(key, field) for key, field in table.model_fields.items()]
    return "".join(parts)


def _tables(annotated: str) -> Iterator[tuple[str, str]]:
    """Yield each table's name and its lines with the comment above it.

    The parts of the annotated file are a blank line apart.
    """
    for part in annotated.split("\n\n"):
        if found := _HEADER.search(part):
            yield found[1], part


def _key_line(key: str, field: "FieldInfo") -> str:
    if field.is_required():
        default = "required"
    elif field.default is None:
        default = "none by default"
    else:
        default = f"default `{shown(field.get_default(call_default_factory=True))}`"
    return f"- `{key}` ({default}): {field.description}\n"


def _tidied(part: object) -> object:
    """Return a part of a schema without what TOML cannot say (null) and generated names.

    A table's default is left out too: it only repeats those of its keys.
    """
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    known = dict(part)
    if known.get("default") is None or isinstance(known["default"], dict):
        known.pop("default", None)
    if isinstance(known.get("title"), str):
        del known["title"]
    choices = known.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        del known["anyOf"]
        known = {**choices[0], **known}
    return {key: _tidied(value) for key, value in known.items()}
