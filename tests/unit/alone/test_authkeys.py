"""``authkeys``: which keys are believed, which one signs, and that no secret is shown."""

import pytest

from stillup.alone.authkeys import AuthKeys, read
from stillup.alone.fate import Kind

LONG = "0123456789abcdef0123456789abcdef"


def asked(text: str, mode: int = 0o100600) -> AuthKeys:
    return read(text, "authkeys", mode)


def refusals(auth: AuthKeys) -> list[str]:
    return [f"{fate.what}: {fate.text}" for fate in auth.fates if fate.kind is Kind.REFUSED]


def test_the_key_that_signs_comes_first_and_the_others_are_believed() -> None:
    auth = asked(f"auth 3\n1 crc\n2 sha1 {LONG}\n3 md5 other{LONG}\n")

    assert refusals(auth) == []
    assert list(auth.keys()) == [3, 2]


def test_both_servers_draw_the_same_key_whatever_the_method_and_the_order() -> None:
    one = asked(f"auth 1\n1 sha1 {LONG}\n2 md5 second\n").keys()
    other = asked(f"# the same\n2 sha1 second\n1 md5 {LONG}\nauth 2\n").keys()

    assert one == other
    assert list(other) == [2, 1]
    assert all(len(key) == 32 for key in one.values())


def test_another_secret_is_another_key() -> None:
    assert asked("auth 1\n1 sha1 one").keys() != asked("auth 1\n1 sha1 two").keys()


def test_a_short_secret_is_said_to_be_one() -> None:
    auth = asked(f"auth 1\n1 sha1 password\n2 sha1 {LONG}\n")

    told = [fate.text for fate in auth.fates]
    assert "The secret is short" in told[1]
    assert "openssl rand -hex 16" in told[1]
    assert "short" not in told[2]


def test_no_secret_is_ever_shown() -> None:
    for text in (f"auth 1\n1 sha1 {LONG}\n1 md5 {LONG}", f"auth 2\nx {LONG}", f"1 {LONG} {LONG}"):
        auth = asked(text, 0o100644)
        assert LONG not in "\n".join(map(str, auth.fates)) + repr(auth)


def test_a_secret_may_hold_a_hash() -> None:
    assert asked("auth 1\n1 sha1 HI#!").secrets == {1: "HI#!"}


@pytest.mark.parametrize("mode", [0o100640, 0o100604, 0o100666])
def test_a_file_that_others_can_read_is_refused(mode: int) -> None:
    (told,) = refusals(asked(f"auth 1\n1 sha1 {LONG}", mode))
    assert "others can read it; run: chmod 600 authkeys" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key is said to sign"),
        ("1 sha1 x", "no key is said to sign"),
        ("auth", "write auth and the number of a key, 1 to 15"),
        ("auth 1\nauth 2\n1 md5 x\n2 md5 y", "keep one auth line"),
        ("auth 2\n1 sha1 x", "there is no key 2"),
        ("auth 1\n1 crc", "crc cannot sign"),
        ("auth 1\n1 sha1 x\n1 md5 y", "this number is taken"),
        ("auth 16\n16 sha1 x", "1 to 15"),
        ("auth 1\n1 sha1", "there is no secret"),
        ("auth 1\n1 sha512 x\n", "there is no such method"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert any(said in told for told in refusals(asked(text)))
