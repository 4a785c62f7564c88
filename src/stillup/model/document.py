"""A TOML document with the line of every key, read from bytes.

Everything that can be wrong before a key is looked at becomes one problem here: size,
encoding, syntax. The limits keep a wrong file (a disk image, a log) from costing memory or
time: nothing is parsed that is larger than ``MOST_BYTES`` or deeper than ``MOST_DEPTH``.
"""

import tomllib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass

from stillup.model.lines import MOST_DEPTH, Lines, lines_of
from stillup.model.problems import Problem
from stillup.model.syntax import syntax_problem

MOST_BYTES = 1_000_000
"""The farm file of thirty servers has about 4,000 bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file that was read: its name for messages, its values, its lines."""

    name: str
    values: dict[str, object]
    lines: Lines


def read_document(data: bytes, name: str) -> Document | Problem:
    """Read a TOML document.

    Args:
        data: The file's bytes, or its first ``MOST_BYTES + 1`` when it is larger.
        name: What messages call the file.
    """
    if problem := _size_problem(data, name) or _encoding_problem(data, name):
        return problem
    text = data.decode()
    lines = lines_of(text)
    if lines.depth > MOST_DEPTH:
        return Problem(
            name,
            lines.depth_line,
            "",
            f"nested more than {MOST_DEPTH} deep; nothing in a farm file is",
            "too-deep",
        )
    try:
        return Document(name, tomllib.loads(text), lines)
    except tomllib.TOMLDecodeError as error:
        return syntax_problem(text, name, lines, str(error))
    except ValueError:
        # Python refuses to read decimal numbers of thousands of digits, without saying where.
        return Problem(
            name, _longest_line(text), "", "a number has too many digits to be read", "syntax"
        )


def _size_problem(data: bytes, name: str) -> Problem | None:
    if len(data) > MOST_BYTES:
        text = f"is larger than {MOST_BYTES // 1_000_000} MB, so it is not a farm file"
        return Problem(name, 1, "", text, "too-large")
    if not data.strip():
        text = "is empty; `stillup init` writes one to start from"
        return Problem(name, 1, "", text, "empty")
    return None


def _encoding_problem(data: bytes, name: str) -> Problem | None:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return Problem(name, 1, "", "is UTF-16; save it as UTF-8", "not-utf8")
    if data.startswith(BOM_UTF8):
        text = "begins with a byte order mark; save it as UTF-8 without one"
        return Problem(name, 1, "", text, "byte-order-mark")
    if (at := data.find(0)) >= 0:
        text = "holds a NUL byte, so it is not a text file"
        return Problem(name, _line_at(data, at), "", text, "nul-byte")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        byte = data[error.start]
        text = f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        return Problem(name, _line_at(data, error.start), "", text, "not-utf8")
    return None


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _longest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda number: len(lines[number])) + 1
