"""An HTTP answer is read alike in one piece and byte by byte."""

import pytest

from stillup.drill.workload.answer import Answer, Malformed

HEAD = b"HTTP/1.1 200 OK\r\nX-Web: web1\r\nSet-Cookie: S=web1~abc; path=/\r\n"
ANSWERS = {
    "length": HEAD + b"Content-Length: 6\r\n\r\npage 1",
    "chunked": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n4;x=y\r\npage\r\n2\r\n 1\r\n0\r\nT: 1\r\n\r\n",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 6\r\n\r\npage 1",
}


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
@pytest.mark.parametrize("kind", ANSWERS)
def test_a_whole_answer(kind: str, at_once: int) -> None:
    answer, data = Answer(), ANSWERS[kind]

    for place in range(0, len(data), at_once):
        assert not answer.whole
        answer.feed(data[place : place + at_once])

    assert (answer.whole, answer.keeps, answer.status) == (True, True, 200)
    assert (bytes(answer.body), answer.length, answer.zero) == (b"page 1", 6, False)
    assert (answer.headers["x-web"], answer.cookies) == ("web1", {"S": "web1~abc"})


def test_an_answer_without_a_length_lasts_until_the_connection_ends() -> None:
    answer = Answer()
    answer.feed(HEAD + b"\r\n" + bytes(3))
    assert not answer.whole

    answer.end()

    assert (answer.whole, answer.keeps, answer.length, answer.zero) == (True, False, 3, True)


def test_an_answer_that_was_cut_short_is_never_whole() -> None:
    for text in (ANSWERS["length"], ANSWERS["chunked"]):
        answer = Answer()
        answer.feed(text[:-1])
        answer.end()
        assert (answer.begun, answer.whole, answer.keeps) == (True, False, False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nmuch\r\n",
        ANSWERS["length"] + b"HTTP/1.1 200 OK",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Answer().feed(data)
