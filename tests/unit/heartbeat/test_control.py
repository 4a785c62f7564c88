"""The control socket: what is asked in the wrong way, and askers who do not behave."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillup.errors import ServerFailed
from stillup.heartbeat.control import Asked, Control, ask
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings_reader import Json

LONG = "x" * 2_000_000
"""More than a socket holds."""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where somebody listens who echoes the operation, and has much to say of one of them."""
    loop = Loop()

    def answer(asked: Asked) -> dict[str, Json]:
        if asked.question.get("op") == "long":
            return {"text": LONG}
        return {"op": asked.question.get("op")}

    control = Control(loop, tmp_path / "control.sock", answer)
    thread = threading.Thread(target=loop.run)
    thread.start()
    yield tmp_path / "control.sock"
    ending, waker = socket.socketpair()
    loop.watch(ending, loop.stop)
    waker.send(b"x")
    thread.join()
    control.close()
    ending.close()
    waker.close()


def said(path: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(question)
        with connection.makefile("rb") as lines:
            return lines.read()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (b'{"op": 1}', {"op": 1}),
        (b"{", {"error": "this is not JSON"}),
        (b"\xff", {"error": "this is not JSON"}),
        (b"[" * 4000, {"error": "this is not JSON"}),
        (b"[]", {"error": "a question is a JSON object"}),
    ],
)
def test_each_question_has_an_answer(path: Path, question: bytes, answer: dict[str, Json]) -> None:
    assert json.loads(said(path, question + b"\n")) == answer


def test_a_question_without_end_is_cut_off(path: Path) -> None:
    with pytest.raises(ConnectionError):
        said(path, b" " * 10_000_000)
    assert ask(path, {"op": "status"}) == {"op": "status"}


def test_an_answer_that_is_longer_than_a_socket_holds_arrives_whole(path: Path) -> None:
    assert ask(path, {"op": "long"}) == {"text": LONG}


def test_who_does_not_read_keeps_nobody_else_waiting(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        slow.sendall(b'{"op": "long"}\n')
        assert ask(path, {"op": "status"}) == {"op": "status"}


def test_more_askers_than_are_heard_at_once(path: Path) -> None:
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for one in crowd:
        one.connect(str(path))
    assert ask(path, {"op": "status"}) == {"op": "status"}
    for one in crowd:
        one.close()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="is it running"):
        ask(tmp_path / "none.sock", {"op": "status"})
