"""What pydantic found wrong with a farm file, in the words of the file's writer."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from stillup.model.document import Document
from stillup.model.problems import Path, Problem, joined, nearest, shown, shown_key, shown_path
from stillup.model.refused import ValueRefused
from stillup.model.schema import TABLES, FarmFile
from stillup.model.words import Section

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "a text in double quotes",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


def explained(document: Document, errors: "list[ErrorDetails]") -> Iterator[Problem]:
    """Yield a problem for each of pydantic's errors on ``document`` read as ``FarmFile``."""
    if _is_of_another_program(errors):
        told = "has none of a farm file's tables; is it another program's file?"
        yield Problem(document.name, 1, "", told, "no-farm-file")
        return
    mistyped = {_meant(error["loc"]) for error in errors if error["type"] == "extra_forbidden"}
    for error in errors:
        path: Path = error["loc"]
        if error["type"] == "missing" and path in mistyped:
            continue  # It is there, under the name that is reported as unknown.
        if error["type"] == "value_error" and path[-1] == "[key]":
            path = path[:-1]
        text, code = _told(error, path)
        yield Problem(document.name, document.lines.line(path), shown_path(path), text, code)


def _is_of_another_program(errors: "list[ErrorDetails]") -> bool:
    """Tell whether every required table is missing and something else is there."""
    missing = {error["loc"] for error in errors if error["type"] == "missing"}
    required = {(name,) for name, field in FarmFile.model_fields.items() if field.is_required()}
    return required <= missing and any(error["type"] == "extra_forbidden" for error in errors)


def _meant(path: Path) -> Path | None:
    """Return the path that an unknown one was most likely meant to be."""
    outer = _table(path[:-1])
    meant = nearest(str(path[-1]), outer.model_fields) if outer else None
    return (*path[:-1], meant) if meant else None


def _told(error: "ErrorDetails", path: Path) -> tuple[str, str]:
    kind: str = error["type"]
    value: object = error["input"]
    context: Mapping[str, object] = error.get("ctx") or {}
    match kind:
        case "value_error":
            refused = context["error"]
            assert isinstance(refused, ValueRefused)
            return refused.text, refused.code
        case "missing":
            return _missing(path), "missing"
        case "extra_forbidden":
            return _unknown(path)
        case "too_short":
            return f"is empty{_example(path, '; write ')}", "empty-list"
        case "too_long":
            told = f"has {context['actual_length']} entries; it may have {context['max_length']}"
            return told, "too-many"
        case "greater_than_equal" | "less_than_equal":
            return f"{shown(value)} is out of range; it may be {_range(path)}", "out-of-range"
        case _:
            told = f"{shown(value)} is not {_WANTED[kind]}{_example(path, '; write ')}"
            return told, "wrong-type"


def _missing(path: Path) -> str:
    table = _table(path)
    if path == ("servers",):
        return (
            f"is missing; write a table [servers] with lines like{_example((*path, 'web1'), ' ')}"
        )
    if table is None:
        return f"is missing; {_example(path, 'write ')}"
    needed = [name for name, field in table.model_fields.items() if field.is_required()]
    return f"is missing; write a table [{shown_path(path)}] with {joined(needed)}"


def _unknown(path: Path) -> tuple[str, str]:
    outer = _table(path[:-1])
    known = list(outer.model_fields) if outer else []
    meant = nearest(str(path[-1]), known)
    if len(path) == 1:
        others = f"did you mean [{meant}]?" if meant else f"the tables are {joined(known)}"
        return f"is no table of a farm file; {others}", "unknown-table"
    others = f"did you mean {meant}?" if meant else f"the keys here are {joined(known)}"
    where = "a server" if path[0] == "servers" else f"[{shown_path(path[:-1])}]"
    return f"is no key of {where}; {others}", "unknown-key"


def _example(path: Path, before: str) -> str:
    """Return ``before`` and how a farm file might have the key, or nothing."""
    key, pattern = shown_key(str(_pattern(path)[-1])), _pattern(path)
    if pattern == ("servers", "*"):
        return f'{before}{shown_key(str(path[1]))} = {{ address = "10.0.0.4", roles = ["web"] }}'
    field = _field(path)
    if field is None or isinstance(field.default, BaseModel):
        return ""
    if field.is_required() and not field.examples:
        return ""
    value = field.examples[0] if field.examples else field.default
    return f"{before}{key} = {shown(value)}"


def _range(path: Path) -> str:
    field = _field(path)
    rules = field.metadata if field else []
    least = next(rule.ge for rule in rules if hasattr(rule, "ge"))
    most = next(rule.le for rule in rules if hasattr(rule, "le"))
    return f"{least} to {most}"


def _field(path: Path) -> "FieldInfo | None":
    pattern = _pattern(path)
    outer = TABLES.get(pattern[:-1])
    return outer.model_fields.get(pattern[-1]) if outer else None


def _table(path: Path) -> type[Section] | None:
    return TABLES.get(_pattern(path))


def _pattern(path: Path) -> tuple[str, ...]:
    """Return the path as ``TABLES`` has it: no indexes, ``*`` for a server's name."""
    keys = tuple(part for part in path if isinstance(part, str))
    return ("servers", "*", *keys[2:]) if len(keys) > 1 and keys[0] == "servers" else keys
