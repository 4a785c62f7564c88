"""What ``tomllib`` says of a text that is no TOML, as a problem that says what to write.

``tomllib`` stops at the first mistake and says where it noticed it, which for an open bracket
or a doubled key is not where it was made; the lines found in the text say that better.
"""

import re
from dataclasses import dataclass

from stillup.model.lines import Lines, lines_of
from stillup.model.problems import Problem, printable, shown_path

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_WORD = re.compile(r"[^\s,\]}#]{1,40}|\S?")
_QUOTES = 'a text stands in double quotes, as name = "shop"'
_LAST_WORD = re.compile(r"[^\s=,\[\]{}]{0,40}\Z")
_TRUTHS = {"true", "false", "yes", "no", "on", "off"}
_ESCAPES = {
    "Unescaped '\\' in a string",
    "Invalid hex value",
    "Escaped character is not a Unicode scalar value",
}
_CLOSES = {
    "Unclosed array": "a list ends with ] and has a comma between two values",
    "Unclosed inline table": "an inline table ends with }, on its line, and has a comma between two values",
}


def syntax_problem(text: str, name: str, lines: Lines, message: str) -> Problem:
    """Return the problem that ``message`` of ``tomllib.TOMLDecodeError`` is about."""
    if lines.doubled:
        twice = lines.doubled[0]
        told = f"is given twice, first on line {twice.first_line}; keep one of them"
        return Problem(name, twice.line, shown_path(twice.path), told, "doubled-key")
    stop = _stop(text.replace("\r\n", "\n"), message)
    if stop.what in _CLOSES:
        line = lines_of(stop.before).unclosed_line or stop.line
        told = f"the bracket that opens here is not closed; {_CLOSES[stop.what]}"
    else:
        line, told = stop.line, _sentence(stop)
    return Problem(name, line, "", told, "syntax")


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where tomllib stopped: its words, the line, the text before and the word there."""

    what: str
    line: int
    column: int
    before: str
    word: str


def _stop(text: str, message: str) -> _Stop:
    place = _PLACE.search(message)
    what = message[: place.start()] if place else message
    if place is None or place[1] is None:
        return _Stop(what, len(text.rstrip("\n").split("\n")), 0, text, "")
    line, column = int(place[1]), int(place[2])
    rows = text.split("\n")
    before = "\n".join([*rows[: line - 1], rows[line - 1][: column - 1]])
    found = _WORD.match(rows[line - 1], column - 1)
    return _Stop(what, line, column, before, found.group() if found else "")


def _sentence(stop: _Stop) -> str:
    word, place = printable(stop.word), f" (column {stop.column})" if stop.column else ""
    match stop.what:
        case "Invalid value" if not word:
            return f"the value is missing{place}; {_QUOTES}"
        case "Invalid value" if word.lower() in _TRUTHS:
            return f"{word} is no value{place}; write true or false"
        case "Invalid value" | "Invalid date or datetime":
            return f"{word} is no value{place}; {_QUOTES}"
        case "Expected newline or end of document after a statement":
            begun = printable(_LAST_WORD.search(stop.before)[0])  # type: ignore[index] # matches ""
            told = f"{begun}{word} is no value" if begun else f"{word} cannot follow here"
            return f"{told}{place}; {_QUOTES}"
        case "Expected '=' after a key in a key/value pair":
            return f'there has to be a = behind the key{place}; a line reads name = "shop"'
        case "Illegal character '\\n'":
            return "a quote that opens on this line is not closed on it"
        case "Unterminated string" | "Expected \"'''\"":
            return "a text is not closed; its last quote is missing"
        case what if what in _ESCAPES:
            return f"a backslash in double quotes is written twice{place}; in single quotes, once"
        case "Invalid statement" | "Invalid initial character for a key part":
            return f'{word} begins no line of TOML{place}; write [table] or name = "shop"'
        case what if what.startswith("Cannot "):
            return f"a table or key of this name was given further up in another way{place}"
        case what if what.startswith("Expected ']"):
            return f"the name of a table ends with ]{place}"
        case _:
            return f"{printable(stop.what)}{place}"
