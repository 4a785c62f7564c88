"""Quoting: no value ends its own quotes. What engines read back is tested in tests/lab."""

from collections.abc import Callable

import jinja2
import pytest

from stillup.parts import quote, template

QUOTES = [quote.ini, quote.haproxy, quote.nginx, quote.sql_string, quote.sql_name]


@pytest.mark.parametrize(
    ("quoted", "word", "expected"),
    [
        (quote.ini, 'a"b;c#d$e', "'a\"b;c#d$e'"),
        (quote.haproxy, "a'b c", "'a'\\''b c'"),
        (quote.nginx, 'a"b\\c', '"a\\"b\\\\c"'),
        (quote.sql_string, "o'clock", "'o''clock'"),
        (quote.sql_name, "back`tick", "`back``tick`"),
    ],
)
def test_quoted(quoted: Callable[[str], str], word: str, expected: str) -> None:
    assert quoted(word) == expected


@pytest.mark.parametrize("quoted", QUOTES)
@pytest.mark.parametrize("word", ["two\nlines", "nul\0", "\x7f"])
def test_no_engine_gets_a_control_character(quoted: Callable[[str], str], word: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quoted(word)


@pytest.mark.parametrize(
    ("quoted", "word"),
    [(quote.ini, "it's"), (quote.nginx, "$uri"), (quote.sql_string, "back\\slash")],
)
def test_what_a_syntax_cannot_say_is_refused(quoted: Callable[[str], str], word: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        quoted(word)


def test_a_hole_that_nobody_fills_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        template.render("balancer/haproxy.cfg.j2", {})
