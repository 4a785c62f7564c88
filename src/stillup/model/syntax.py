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
_ESCAPED = "a backslash in double quotes is written twice{place}; in single quotes, once"
_LINE = 'write [table] or name = "shop"'
_SENTENCES = {
    "Invalid date or datetime": "{word} is no value{place}; " + _QUOTES,
    "Expected '=' after": 'there has to be a = behind the key{place}; a line reads name = "shop"',
    "Illegal character '\\n'": "a quote that opens on this line is not closed on it",
    "Unterminated string": "a text is not closed; its last quote is missing",
    "Expected \"'''\"": "a text is not closed; its last quote is missing",
    "Unescaped '\\' in a string": _ESCAPED,
    "Invalid hex value": _ESCAPED,
    "Escaped character is not": _ESCAPED,
    "Invalid statement": "{word} begins no line of TOML{place}; " + _LINE,
    "Invalid initial character": "{word} begins no line of TOML{place}; " + _LINE,
    "Expected ']": "the name of a table ends with ]{place}",
    "Cannot ": "a table or key of this name was given further up in another way{place}",
}
"""What tomllib's message begins with, and what we say instead."""

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
    if stop.what == "Invalid value":
        if not word:
            return f"the value is missing{place}; {_QUOTES}"
        hint = "write true or false" if word.lower() in _TRUTHS else _QUOTES
        return f"{word} is no value{place}; {hint}"
    if stop.what.startswith("Expected newline"):
        # In 10.0.0.0/24 it stops behind 10.0; what the user wrote begins before.
        begun = _LAST_WORD.search(stop.before)
        if begun and begun[0]:
            return f"{printable(begun[0])}{word} is no value{place}; {_QUOTES}"
        return f"{word} cannot follow here{place}; {_QUOTES}"
    for begin, sentence in _SENTENCES.items():
        if stop.what.startswith(begin):
            return sentence.format(word=word, place=place)
    return f"{printable(stop.what)}{place}"
