"""Every key of the annotated example: removed, doubled, of the wrong type, out of range.

Made from the example and the schema, so that a new key is tested with no test written for it.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillup.model.farm import Farm
from stillup.model.problems import Problem
from stillup.model.read import read_farm
from stillup.model.schema import TABLES

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
COMMENTED = re.compile(r"^# (\w+ = \S+)", re.MULTILINE)
WHOLE = COMMENTED.sub(r"\1", (EXAMPLES / "annotated.toml").read_text(encoding="utf-8"))
"""The annotated example with its commented keys in force."""

NOT_TEXTS = ["5", "0.5", "true", "[]", "{ x = 1 }", "1979-05-27", "07:32:00", "nan"]
NOT_NUMBERS = ['"5"', "0.5", "true", "[5]", "{ x = 1 }", "1979-05-27T07:32:00Z", "inf"]
NOT_TRUTHS = ['"yes"', "1", "0", "[true]", "{ x = 1 }", "07:32:00"]
NOT_LISTS = ['"text"', "5", "false", "{ x = 1 }", "1979-05-27"]
NOT_ELEMENTS = ["[1]", "[true]", "[[]]", "[{}]", "[1979-05-27]", "[[[[[[[[1]]]]]]]]"]
ODD_TEXTS = ['""', '" "', '"\\u0000"', '"\\n"', '"\\u001b[31m"', '"💥"', f'"{"x" * 5000}"', '"-1"']
ODD_NUMBERS = ["-1", "9223372036854775807", "99999999999999999999999999", "0x7fffffffffffffffffff"]


@dataclass(frozen=True)
class Key:
    """A key of the example: where it stands, and what it may be."""

    table: str
    name: str
    line: int

    @property
    def path(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def required(self) -> bool:
        return TABLES[self.table,].model_fields[self.name].is_required()

    @property
    def value(self) -> object:
        return tomllib.loads(WHOLE)[self.table][self.name]

    def replaced(self, value: str) -> str:
        return self.written(f"{self.name} = {value}")

    def written(self, text: str) -> str:
        lines = WHOLE.split("\n")
        lines[self.line - 1] = text
        return "\n".join(lines)


def keys() -> Iterator[Key]:
    table = ""
    for line, text in enumerate(WHOLE.split("\n"), 1):
        if header := re.match(r"\[(\w+)\]", text):
            table = header[1]
        elif (key := re.match(r"(\w+) += ", text)) and table != "servers":
            yield Key(table, key[1], line)


KEYS = list(keys())
EVERY = pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)


def problems(text: str) -> tuple[Problem, ...]:
    read = read_farm(text.encode(), "farm.toml")
    assert not isinstance(read, Farm)
    return read


def wrong_types(value: object) -> list[str]:
    match value:
        case bool():
            return NOT_TRUTHS
        case int():
            return NOT_NUMBERS
        case str():
            return NOT_TEXTS
        case _:
            return NOT_LISTS + NOT_ELEMENTS


OF_ANOTHER_FARM = {
    ("vip", "witness"),
    ("network", "direct"),
    ("vip", "on_acquire"),
    ("vip", "on_release"),
}
"""What the example cannot have in force: a witness is for two balancers and nothing else, the
second network wants an address of each balancer, and a command is a program of the user's own."""


def test_the_example_has_every_key_of_the_schema() -> None:
    named = {(key.table, key.name) for key in KEYS}
    assert named | OF_ANOTHER_FARM == {
        (path[0], name)
        for path, table in TABLES.items()
        if len(path) == 1
        for name in table.model_fields
    }
    assert isinstance(read_farm(WHOLE.encode(), "annotated.toml"), Farm)


@EVERY
def test_a_removed_key_is_missed_at_its_table_or_has_its_default(key: Key) -> None:
    text = key.written("")
    if key.path in {"tls.certificate", "tls.key"}:
        (problem,) = problems(text)
        assert problem.code == "tls-half"
    elif key.required:
        (problem,) = problems(text)
        assert (problem.path, problem.code) == (key.path, "missing")
        assert re.match(rf"\[{key.table}\]", text.split("\n")[problem.line - 1])
    else:
        without = read_farm(text.encode(), "farm.toml")
        field = TABLES[key.table,].model_fields[key.name]
        default = field.get_default(call_default_factory=True)
        assert isinstance(without, Farm)
        if default is not None:
            told = f'"{default}"' if isinstance(default, str) else str(default).lower()
            assert without == read_farm(key.replaced(told).encode(), "farm.toml")


@EVERY
def test_a_doubled_key_is_told_with_both_lines(key: Key) -> None:
    line = WHOLE.split("\n")[key.line - 1]
    (problem,) = problems(key.written(f"{line}\n# between\n{line}"))
    assert (problem.line, problem.path, problem.code) == (key.line + 2, key.path, "doubled-key")
    assert f"first on line {key.line};" in problem.text


@EVERY
def test_a_value_of_another_type_is_told_on_its_line(key: Key) -> None:
    for wrong in wrong_types(key.value):
        found = problems(key.replaced(wrong))
        assert (key.line, key.path) in {(problem.line, problem.path) for problem in found}, wrong
        assert {problem.line for problem in found if problem.path == key.path} == {key.line}


@EVERY
def test_an_odd_value_is_sound_or_told_on_its_line_in_printable_characters(key: Key) -> None:
    match key.value:
        case bool():
            odd: list[str] = []
        case int():
            odd = ODD_NUMBERS
        case str():
            odd = ODD_TEXTS
        case _:
            odd = [f"[{text}]" for text in ODD_TEXTS]
    for value in odd:
        read = read_farm(key.replaced(value).encode(), "farm.toml")
        for problem in () if isinstance(read, Farm) else read:
            assert problem.path != key.path or problem.line == key.line
            assert str(problem).isprintable()
            assert len(str(problem)) < 400


@pytest.mark.parametrize(
    ("path", "low", "least", "most", "high"),
    [
        ("vip.lease", '"149ms"', '"150ms"', '"1s"', '"10001ms"'),
        ("vip.drain", '"999ms"', '"1s"', '"60min"', '"61min"'),
        ("balancer.queue", '"99ms"', '"100ms"', '"5min"', '"301s"'),
        ("balancer.maxconn_per_server", "0", "1", "100000", "100001"),
        ("web.php_workers", "0", "1", "2000", "2001"),
        ("web.php_memory", '"15MB"', '"16MB"', '"64GB"', '"65GB"'),
        ("web.upload", '"0MB"', '"1MB"', '"16GB"', '"17GB"'),
        ("database.buffer", '"15MB"', '"16MB"', '"1024GB"', '"1025GB"'),
        ("backup.keep", "0", "1", "1000", "1001"),
        ("ssh.port", "0", "1", "65535", "65536"),
        ("promises.outage", '"9ms"', '"500ms"', '"60min"', '"61min"'),
        ("promises.lost_writes", "-1", "0", "1000000", "1000001"),
        ("promises.planned_failures", "-1", "0", "1000000", "1000001"),
        ("network.lan", '"8.0.0.0/7"', '"10.0.0.0/8"', '"10.0.0.0/28"', '"10.0.0.0/30"'),
    ],
)
def test_a_range_holds_its_ends_and_nothing_beyond(
    path: str, low: str, least: str, most: str, high: str
) -> None:
    (key,) = (key for key in KEYS if key.path == path)
    for inside in (least, most):
        assert isinstance(read_farm(key.replaced(inside).encode(), "farm.toml"), Farm), inside
    for outside in (low, high):
        found = [problem for problem in problems(key.replaced(outside)) if problem.path == path]
        assert [(problem.line, problem.code) for problem in found] == [(key.line, "out-of-range")]


def test_every_bounded_key_is_in_the_ranges_above() -> None:
    """What can be out of range: numbers, and the texts whose description names two ends."""
    bounded = {
        f"{path[0]}.{name}"
        for path, table in TABLES.items()
        for name, field in table.model_fields.items()
        if field.annotation is int
        or re.search(r"\d+[a-zA-Z]+ to \d+[a-zA-Z]+", field.description or "")
    }
    ranges = test_a_range_holds_its_ends_and_nothing_beyond.pytestmark[0].args[1]  # type: ignore[attr-defined] # pytest adds it
    assert bounded | {"network.lan"} == {case[0] for case in ranges}


SERVER = 'web3 = { address = "10.0.0.6", roles = ["web"] }'


@pytest.mark.parametrize(
    ("written", "path", "code"),
    [
        ('web3 = { roles = ["web"] }', "servers.web3.address", "missing"),
        ('web3 = { address = "10.0.0.6" }', "servers.web3.roles", "missing"),
        ("web3 = {}", "servers.web3.address", "missing"),
        ('web3 = { address = 10, roles = ["web"] }', "servers.web3.address", "wrong-type"),
        ('web3 = { address = "10.0.0.6", roles = "web" }', "servers.web3.roles", "wrong-type"),
        ('web3 = { address = "10.0.0.6", roles = [1] }', "servers.web3.roles", "wrong-type"),
        ('web3 = { address = "10.0.0.6", roles = [] }', "servers.web3.roles", "empty-list"),
        (
            'web3 = { address = "10.0.0.6", roles = ["web", "web"] }',
            "servers.web3.roles",
            "listed-twice",
        ),
        ('web3 = "10.0.0.6"', "servers.web3", "wrong-type"),
        ("web3 = []", "servers.web3", "wrong-type"),
        ("web3 = 1979-05-27", "servers.web3", "wrong-type"),
        (SERVER.replace("}", ", port = 22 }"), "servers.web3.port", "unknown-key"),
        (SERVER.replace("web3", '""'), 'servers.""', "bad-name"),
        (SERVER.replace("web3", '"[key]"'), 'servers."[key]"', "bad-name"),
        (SERVER.replace("web3", '"*"'), 'servers."*"', "bad-name"),
        (SERVER.replace("web3", "web-"), "servers.web-", "bad-name"),
        (SERVER.replace("web3", "w" * 33), f"servers.{'w' * 33}", "bad-name"),
        (SERVER.replace("web3", "web2"), "servers.web2", "doubled-key"),
    ],
)
def test_a_server_that_is_not_sound_is_told_on_its_line(written: str, path: str, code: str) -> None:
    text = WHOLE.replace(SERVER, written)
    line = text[: text.index(written)].count("\n") + 1
    found = problems(text)
    assert (line, path, code) in {(one.line, one.path, one.code) for one in found}
    assert {one.line for one in found} == {line}


@pytest.mark.parametrize("table", [path[0] for path in TABLES if len(path) == 1] + ["servers"])
def test_a_table_removed_or_of_the_wrong_type_is_told(table: str) -> None:
    inside = re.compile(rf"^\[{table}\]\n(?:(?!\[|# The servers).*\n?)*", re.MULTILINE)
    removed = inside.sub("", WHOLE)
    needed = table in {"farm", "network", "vip", "site", "servers"}
    read = read_farm(removed.encode(), "farm.toml")
    if needed:
        assert not isinstance(read, Farm)
        assert (read[0].path, read[0].code) == (table, "missing")
    else:
        assert isinstance(read, Farm)
    for wrong in ("5", '"text"', "[]", "true", "1979-05-27"):
        found = problems(f"\n{table} = {wrong}\n{removed}")
        assert (2, table, "wrong-type") in {(one.line, one.path, one.code) for one in found}
