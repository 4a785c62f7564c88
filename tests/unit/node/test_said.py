"""What is shown of a program that failed: what helps, and never a secret."""

from stillup.node.bundle import Bundle, Command, File
from stillup.node.said import first_lines, secret_words
from stillup.node.world import Ran

SECRET = "user admin password pa55word-of-9\nkey=Zm9vYmFy,AAAA\nJustOneTokenInALine\n"
BUNDLE = Bundle(
    "shop",
    "db1",
    files=(
        File("/etc/engine/secret.cfg", SECRET, mode=0o600, secret=True),
        File("/etc/engine/engine.cfg", "user admin\nlisten on-this-address\n"),
    ),
    commands=(Command("make", ("db",), (), stdin="CREATE USER site IDENTIFIED BY 'hunter2222'"),),
)


def test_every_word_of_a_secret_is_hidden_but_keywords_and_public_words_are_not() -> None:
    ran = Ran(
        1,
        err=b"[ALERT] /etc/engine/secret.cfg:1: user admin: password pa55word-of-9 is too short\n"
        b"[ALERT] near Zm9vYmFy and JustOneTokenInALine\n"
        b"[ALERT] at 'hunter2222'",
    )
    assert first_lines(ran, secret_words(BUNDLE)) == (
        "[ALERT] /etc/engine/secret.cfg:1: user admin: (secret) (secret) is too short / "
        "[ALERT] near (secret) and (secret) / [ALERT] at '(secret)'"
    )


def test_a_long_line_is_cut_only_after_its_secrets_are_hidden() -> None:
    ran = Ran(1, err=b"error: " + b"x" * 285 + b" pa55word-of-9 and more" * 2)
    assert "pa55" not in first_lines(ran, secret_words(BUNDLE))


def test_the_surest_lines_are_shown_and_chatter_is_not() -> None:
    ran = Ran(
        1,
        b"Starting\n2026 [Note] unknown: shutdown\n2026 [ERROR] InnoDB: no such folder\n"
        b"failed, see the manual\nbye\n",
    )
    assert first_lines(ran) == "2026 [ERROR] InnoDB: no such folder"


def test_without_a_telling_line_the_first_ones_are_shown() -> None:
    assert first_lines(Ran(1, b"one\n\ntwo\nthree\nfour\n")) == "one / two / three"


def test_silence_is_said_too() -> None:
    assert first_lines(Ran(7)) == "it ended with code 7"
    assert first_lines(Ran(127)) == "no such program"
    assert first_lines(Ran(124, b"half a")) == "it did not end in time"
