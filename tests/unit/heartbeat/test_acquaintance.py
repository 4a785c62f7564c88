"""Words and windows: what was recorded is worth nothing."""

from random import Random

import pytest

from stillup.heartbeat.acquaintance import WINDOW, Acquaintance, Window

ALICE, LATER_ALICE = 11, 12


def test_each_number_is_fresh_once_in_any_order() -> None:
    window = Window()
    numbers = list(range(1, 500))
    Random(1).shuffle(numbers)
    assert [window.is_fresh(number) for number in numbers] == [True] * len(numbers)
    assert not any(window.is_fresh(number) for number in numbers)


def test_a_number_far_below_the_newest_is_not_fresh() -> None:
    window = Window()
    window.is_fresh(WINDOW + 10)
    assert window.is_fresh(11)
    assert not window.is_fresh(10)


@pytest.mark.parametrize("leap", [WINDOW - 1, WINDOW, WINDOW + 1, 1 << 40])
def test_a_leap_forward_leaves_nothing_behind_believed_twice(leap: int) -> None:
    window = Window()
    window.is_fresh(1)
    window.is_fresh(1 + leap)
    assert not window.is_fresh(1)
    assert not window.is_fresh(1 + leap)


def test_the_word_on_offer_belongs_to_the_life_that_says_it_first() -> None:
    alice = Acquaintance(100)
    word = alice.offered
    assert alice.is_known(ALICE, word)
    assert alice.is_known(ALICE, word)
    assert not alice.is_known(LATER_ALICE, word)


def test_another_life_must_say_the_next_word() -> None:
    alice = Acquaintance(100)
    first = alice.offered
    alice.is_known(ALICE, first)
    second = alice.offered
    assert second != first
    assert alice.is_known(LATER_ALICE, second)
    assert not alice.is_known(ALICE, first)


def test_no_word_and_made_up_words_are_not_known() -> None:
    alice = Acquaintance(100)
    assert not alice.is_known(ALICE, 0)
    assert not alice.is_known(ALICE, 99)
    assert not alice.is_known(ALICE, 102)


@pytest.mark.parametrize("incarnation", [0, (1 << 64) - 1])
def test_the_word_is_never_nought_which_means_none(incarnation: int) -> None:
    alice = Acquaintance(incarnation)
    for _ in range(3):
        assert 0 < alice.offered < 1 << 64
        assert alice.is_known(ALICE, alice.offered)


def test_a_word_given_anew_begins_a_new_count() -> None:
    alice = Acquaintance(100)
    alice.is_known(ALICE, alice.offered)
    assert alice.is_fresh(5)
    alice.is_known(LATER_ALICE, alice.offered)
    assert alice.is_fresh(5)
    assert not alice.is_fresh(5)
