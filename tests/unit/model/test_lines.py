"""The line finder against documents whose lines are known, and against tomllib."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillup.model.lines import Doubled, lines_of
from stillup.model.problems import Path

TRICKY = '''\
# [not.a.table]
top = "# no comment, [no] table = {" # a comment with "quotes" and [brackets]
[a] # [b]
one = """
[c]
two = 2
"""
two = \'\'\'
[d] \'\'
\'\'\'
"quo.ted" = 1
'lit"eral' = 2
"esc\\u0061ped" = 3
dotted . "key" . x = 1.5
[a.sub."x.y"]
list = [
    1, # one
    [
        2, 3,
    ],

    { p = "}", q = { r = [ "]" ] } },
    """
    long""", "end",
]
date = 1979-05-27 07:32:00
[[many]]
v = 1
[many.inner]
w = 1
[[many]]
v = 2
[[many.deep]]
z = 1
[[many.deep]]
z = 2
'''

EXPECTED: dict[Path, int] = {
    ("top",): 2,
    ("a",): 3,
    ("a", "one"): 4,
    ("a", "two"): 8,
    ("a", "quo.ted"): 11,
    ("a", 'lit"eral'): 12,
    ("a", "escaped"): 13,
    ("a", "dotted"): 14,
    ("a", "dotted", "key"): 14,
    ("a", "dotted", "key", "x"): 14,
    ("a", "sub"): 15,
    ("a", "sub", "x.y"): 15,
    ("a", "sub", "x.y", "list"): 16,
    ("a", "sub", "x.y", "list", 0): 17,
    ("a", "sub", "x.y", "list", 1): 18,
    ("a", "sub", "x.y", "list", 1, 0): 19,
    ("a", "sub", "x.y", "list", 1, 1): 19,
    ("a", "sub", "x.y", "list", 2): 22,
    ("a", "sub", "x.y", "list", 2, "p"): 22,
    ("a", "sub", "x.y", "list", 2, "q"): 22,
    ("a", "sub", "x.y", "list", 2, "q", "r"): 22,
    ("a", "sub", "x.y", "list", 2, "q", "r", 0): 22,
    ("a", "sub", "x.y", "list", 3): 23,
    ("a", "sub", "x.y", "list", 4): 24,
    ("a", "sub", "x.y", "date"): 26,
    ("many",): 27,
    ("many", 0): 27,
    ("many", 0, "v"): 28,
    ("many", 0, "inner"): 29,
    ("many", 0, "inner", "w"): 30,
    ("many", 1): 31,
    ("many", 1, "v"): 32,
    ("many", 1, "deep"): 33,
    ("many", 1, "deep", 0): 33,
    ("many", 1, "deep", 0, "z"): 34,
    ("many", 1, "deep", 1): 35,
    ("many", 1, "deep", 1, "z"): 36,
}


def paths_in(value: object, path: Path = ()) -> set[Path]:
    """Return the path of everything inside a value that tomllib read."""
    match value:
        case dict():
            inside: list[tuple[str | int, object]] = list(value.items())
        case list():
            inside = list(enumerate(value))
        case _:
            inside = []
    here = {(*path, part) for part, _ in inside}
    return here.union(*(paths_in(item, (*path, part)) for part, item in inside))


def test_every_key_of_a_tricky_document_has_the_line_it_begins_on() -> None:
    assert dict(lines_of(TRICKY).starts) == EXPECTED
    assert paths_in(tomllib.loads(TRICKY)) == set(EXPECTED)


def test_carriage_returns_count_no_lines() -> None:
    assert lines_of(TRICKY.replace("\n", "\r\n")).starts == EXPECTED


def test_a_path_that_is_not_there_has_the_line_of_the_nearest_table_round_it() -> None:
    lines = lines_of(TRICKY)
    assert lines.line(("a", "sub", "x.y", "missing", 3)) == 15
    assert lines.line(("nothing", "like", "it")) == 1


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a = 1\nb = 2\na = 3\n", Doubled(("a",), 1, 3)),
        ("[t]\na = 1\n[u]\n[t]\n", Doubled(("t",), 1, 4)),
        ("t = { a = 1, a = 2 }\n", Doubled(("t", "a"), 1, 1)),
        ("[s]\nw.a = 1\nw.a = 2\n", Doubled(("s", "w", "a"), 2, 3)),
        ("vip = 1\n[vip]\n", Doubled(("vip",), 1, 2)),
    ],
)
def test_a_doubled_key_is_found_with_both_its_lines(text: str, twice: Doubled) -> None:
    assert lines_of(text).doubled == (twice,)


def test_tables_of_an_array_and_keys_added_to_a_table_are_not_doubled() -> None:
    text = "[[t]]\na = 1\n[[t]]\na = 1\n[x.y]\n[x]\nz.a = 1\nz.b = 2\nq = [{a=1},{a=2}]\n"
    tomllib.loads(text)
    assert lines_of(text).doubled == ()


def test_the_depth_is_that_of_the_deepest_brackets_or_key() -> None:
    lines = lines_of("a = 1\nb = [[[\n[1]]]]\n")
    assert (lines.depth, lines.depth_line) == (4, 3)
    lines = lines_of("a = 1\n\na.b.c.d.e = [1]")
    assert (lines.depth, lines.depth_line) == (5, 3)


def test_the_first_bracket_left_open_is_known() -> None:
    assert lines_of("a = 1\nb = [1,\nc = [2,\n").unclosed_line == 2
    assert lines_of("a = [1]\n").unclosed_line is None


# Documents with their lines, made by writing one statement a line (or several lines) at a time.

KEYS = st.text("abc-_1", min_size=1, max_size=3)
SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        '"a # b = [c]"',
        "'{'",
        "07:32:00",
        '"\\"]"',
        '""',
        '"""\n[x]\ny = 1"""',
    ]
)
SPACE = st.sampled_from(["", " ", "  "])
BREAKS = st.sampled_from(["", "\n", " # ]\n", "\n\n"])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    parts = [draw(BREAKS) + value + draw(BREAKS) for value in draw(st.lists(values, max_size=3))]
    return "[" + ",".join(parts) + (draw(BREAKS) if not parts else "") + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique=True))
    return "{" + ",".join(f"{draw(SPACE)}{key} = {draw(values)} " for key in keys) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """Return a document and the line of each of its tables and their keys."""
    text = draw(BREAKS)
    expected: dict[Path, int] = {}
    for table in draw(st.lists(KEYS, max_size=4, unique=True)):
        expected[(table,)] = text.count("\n") + 1
        text += f"[{draw(SPACE)}{table} ]{draw(BREAKS)}\n"
        for key in draw(st.lists(KEYS, max_size=4, unique=True)):
            expected[table, key] = text.count("\n") + 1
            quoted = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
            text += f"{draw(SPACE)}{quoted}{draw(SPACE)}= {draw(VALUES)}{draw(BREAKS)}\n"
    return text, expected


@given(documents())
def test_any_document_has_each_table_and_key_on_its_line(
    document: tuple[str, dict[Path, int]],
) -> None:
    text, expected = document
    starts = lines_of(text).starts
    assert {path: line for path, line in starts.items() if len(path) < 3} == expected
    assert set(starts) == paths_in(tomllib.loads(text))
    assert lines_of(text).doubled == ()


@given(st.text(st.sampled_from("ab\"'\\#[]{}=,. \n\r\t1é"), max_size=60))
def test_any_text_is_walked_and_what_tomllib_accepts_is_found_whole(text: str) -> None:
    lines = lines_of(text)
    last = text.count("\n") + 1
    assert all(1 <= line <= last for line in lines.starts.values())
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(lines.starts) == paths_in(read)


@pytest.mark.parametrize(
    "text", ['"\\"' * 300_000, "[" * 900_000, "a." * 400_000, "{a=" * 300_000, '"""\\"' * 200_000]
)
def test_a_megabyte_of_nonsense_takes_linear_time(text: str) -> None:
    # With anything quadratic this would run for minutes; pytest-timeout would end it.
    assert len(lines_of(text).starts) < 1000
