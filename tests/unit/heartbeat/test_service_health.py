"""When the watched service counts as able, and how its answers are read."""

import pytest

from stillup.heartbeat.health import FALL, PERIOD_DEAD_S, PERIOD_S, RISE, Judge
from stillup.heartbeat.http_answer import Answer, Malformed, answer, question
from stillup.heartbeat.service import parent

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive"


def able() -> Judge:
    judge = Judge("haproxy")
    judge.answered()
    return judge


def dead() -> Judge:
    judge = Judge("haproxy")
    judge.died("died")
    return judge


def test_the_first_check_decides() -> None:
    first = Judge("haproxy")
    first.failed("does not answer")

    assert Judge("haproxy").healthy is None
    assert (first.healthy, first.reason) == (False, "haproxy does not answer")
    assert (able().healthy, able().reason) == (True, "haproxy answers")


def test_one_missed_answer_is_nothing_and_several_in_a_row_are_death() -> None:
    judge = able()
    for _ in range(FALL - 1):
        judge.failed("does not answer")
        assert judge.healthy
    judge.answered()
    for _ in range(FALL):
        assert judge.healthy
        judge.failed("does not answer")

    assert not judge.healthy


def test_a_certain_death_counts_at_once() -> None:
    judge = able()
    judge.died("refuses connections")

    assert (judge.healthy, judge.reason) == (False, "haproxy refuses connections")


def test_who_was_dead_must_answer_several_times_in_a_row() -> None:
    judge = dead()
    for _ in range(RISE - 1):
        judge.answered()
    judge.failed("does not answer")
    for _ in range(RISE):
        assert not judge.healthy
        judge.answered()

    assert judge.healthy


def test_the_dead_are_asked_more_often() -> None:
    assert able().period_s == PERIOD_S
    assert dead().period_s == PERIOD_DEAD_S


def test_the_question_names_host_and_path() -> None:
    assert question("127.0.0.1:8405", "/alive").startswith(
        b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1:8405\r\n"
    )


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_an_answer_is_awaited_until_all_of_it_is_there(cut: int) -> None:
    assert answer(GOOD[:cut]) is None


def test_a_whole_answer_tells_its_status_and_whether_to_ask_again_here() -> None:
    assert answer(GOOD) == Answer(200, keep=True)
    assert answer(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n")) == Answer(
        200, keep=False
    )
    assert answer(GOOD.replace(b"1.1", b"1.0")) == Answer(200, keep=False)
    assert answer(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") == Answer(503, keep=False)


@pytest.mark.parametrize(
    ("status", "good"), [(200, True), (204, True), (302, True), (404, False), (503, False)]
)
def test_a_good_answer_is_2xx_or_3xx(status: int, good: bool) -> None:  # noqa: FBT001
    assert Answer(status, keep=True).is_good == good


@pytest.mark.parametrize(
    "wrong", [b"SSH-2.0-OpenSSH", b"HTTP/1.1 \r\n\r\n", b"HTTP/1.1" + b"x" * 20000]
)
def test_what_is_no_answer_is_refused(wrong: bytes) -> None:
    with pytest.raises(Malformed):
        answer(wrong)


def test_the_parent_is_read_past_a_name_with_spaces_and_brackets() -> None:
    assert parent("270 (a) (b c) S 1 270 270 0") == 1
    assert parent("") is None
