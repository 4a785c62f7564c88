"""The session as a controller meets it: lines in, lines out."""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.node.scripted import Folder
from tests.unit.node.test_apply import bundle, server

from stillup.errors import ChangeRefused
from stillup.node.bundle import File
from stillup.node.codec import encode
from stillup.node.lock import Lock
from stillup.node.message import Json, JsonObject
from stillup.node.requests import Session
from stillup.node.session import OPERATIONS
from stillup.node.state import PARTS

SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return server(tmp_path / "server")


def talk(world: Folder, *requests: Json) -> list[JsonObject]:
    """Send requests, close the line, and return every answer."""
    given = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    told = io.BytesIO()
    Session(world, OPERATIONS, io.BytesIO(given), told).serve()
    return [json.loads(line) for line in told.getvalue().splitlines()]


def test_an_apply_tells_its_steps_and_then_its_result(world: Folder) -> None:
    *events, last = talk(world, {"op": "apply", "id": 7, "bundle": encode(bundle())})
    assert {event["id"] for event in events} == {7}
    steps = [event["event"] for event in events]
    assert [step["step"] for step in steps if isinstance(step, dict)] == [
        "packages",
        "user",
        "files",
        "check",
        "command",
        "start",
        "health",
    ]
    result = last["result"]
    assert isinstance(result, dict)
    assert set(result) == {"changed", "seconds"}
    assert isinstance(result["changed"], list)
    assert result["changed"][0] == {
        "kind": "package",
        "name": "engine",
        "action": "add",
        "diff": None,
        "by_hand": False,
    }


def test_a_compare_says_whether_it_is_the_first_and_changes_nothing(world: Folder) -> None:
    before = sorted(path for path in world.root.rglob("*") if path.name != "scripted.json")
    (answer,) = talk(world, {"op": "compare", "id": 1, "bundle": encode(bundle())})
    result = answer["result"]
    assert isinstance(result, dict)
    assert (result["first"], result["unfinished"]) == (True, False)
    assert sorted(path for path in world.root.rglob("*")) == before
    talk(world, {"op": "apply", "id": 2, "bundle": encode(bundle())})
    (answer,) = talk(world, {"op": "compare", "id": 3, "bundle": encode(bundle())})
    assert answer["result"] == {"changes": [], "first": False, "unfinished": False}


def test_errors_carry_the_code_of_their_class(world: Folder) -> None:
    broken = encode(bundle("BROKEN\n"))
    answers = talk(
        world,
        {"op": "apply", "id": 1, "bundle": broken},
        {"op": "apply", "id": 2, "bundle": {}},
        {"op": "fly", "id": 3},
        {"op": "lock", "id": 4},
        {"op": "release.end", "id": 5},
        [],
    )
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert [error["code"] for error in errors if isinstance(error, dict)] == [
        "change-taken-back",
        *["input-refused"] * 5,
    ]


def test_a_bug_is_told_by_its_place_alone(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(_session: Session, _request: JsonObject) -> JsonObject:
        raise KeyError("hunter2")

    monkeypatch.setitem(OPERATIONS, "buggy", buggy)
    (answer,) = talk(world, {"op": "buggy", "id": 1})
    error = answer["error"]
    assert isinstance(error, dict)
    assert "a fault of stillup itself: KeyError in " in str(error["message"])
    assert "hunter2" not in json.dumps(answer)


class Gone(io.BytesIO):
    """A line to a controller that goes away after some answers."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self._left = answers

    def flush(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BrokenPipeError


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_when_the_controller_goes_away_the_apply_is_finished_and_nothing_more(
    world: Folder, answers: int
) -> None:
    apply = json.dumps({"op": "apply", "id": 1, "bundle": encode(bundle())}).encode()
    more = json.dumps({"op": "apply", "id": 2, "bundle": encode(bundle("more\n"))}).encode()
    Session(world, OPERATIONS, io.BytesIO(apply + b"\n" + more + b"\n"), Gone(answers)).serve()
    assert (world.root / "etc/engine.conf").read_text() == "good\n"
    assert world.unit("engine.service") == ("active", "enabled")
    Lock(world).take("the next")


def test_when_it_goes_away_during_a_failing_apply_it_is_taken_back(world: Folder) -> None:
    talk(world, {"op": "apply", "id": 1, "bundle": encode(bundle())})
    sick = json.dumps({"op": "apply", "id": 2, "bundle": encode(bundle("SICK\n"))}).encode()
    Session(world, OPERATIONS, io.BytesIO(sick + b"\n"), Gone(2)).serve()
    assert (world.root / "etc/engine.conf").read_text() == "good\n"
    assert world.state()["runs"]["engine.service"] == ["good\n"]


def test_the_lock_names_its_holder_and_since_when(world: Folder) -> None:
    holder = Lock(world)
    holder.take("ann@laptop")
    (answer,) = talk(world, {"op": "lock", "id": 1, "owner": "bob@desk"})
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["code"] == ChangeRefused.code
    assert str(error["message"]).startswith(
        "another change is under way: ann@laptop has the lock since 2023-11-"
    )
    holder.free()
    assert talk(world, {"op": "lock", "id": 2, "owner": "bob"}) == [{"id": 2, "result": {}}]
    holder.take("ann@laptop")


def test_an_apply_without_the_lock_is_refused_while_another_has_it(world: Folder) -> None:
    holder = Lock(world)
    holder.take("ann@laptop")
    (answer,) = talk(world, {"op": "apply", "id": 1, "bundle": encode(bundle())})
    assert "ann@laptop has the lock" in json.dumps(answer)
    assert not (world.root / "etc/new").exists()


def test_a_disk_that_is_full_before_the_beginning_is_one_sentence(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_session: Session, _request: JsonObject) -> JsonObject:
        raise OSError(28, os.strerror(28), "/var/lib/stillup/journal/journal.json")

    monkeypatch.setitem(OPERATIONS, "full", full)
    (answer,) = talk(world, {"op": "full", "id": 1})
    assert answer["error"] == {
        "code": "server-failed",
        "message": "the disk is full (/var/lib/stillup/journal/journal.json)",
    }


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "stillup.node", "session"],
        env={"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as started:
        watchdog = threading.Timer(20, started.kill)
        watchdog.start()
        yield started
        watchdog.cancel()
        started.kill()


def test_the_real_session_answers_on_standard_output_and_ends_with_its_input(
    process: "subprocess.Popen[bytes]",
) -> None:
    told, _ = process.communicate(b'{"op": "nothing", "id": 1}\n')
    assert json.loads(told) == {
        "id": 1,
        "error": {"code": "input-refused", "message": "there is no operation 'nothing'"},
    }
    assert process.returncode == 0


def test_a_session_that_waits_ends_when_it_is_told_to(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"op": "nothing", "id": 1}\n')
    process.stdin.flush()
    process.stdout.readline()
    process.terminate()
    assert process.wait(10) == 0


def test_no_secret_of_a_bundle_is_in_any_answer(world: Folder) -> None:
    engine = File("/etc/engine.conf", "BROKEN near hunter-secret-33\n", secret=True)
    wanted = replace(bundle(), files=(engine, *bundle().files[1:]))
    answers = talk(
        world,
        {"op": "compare", "id": 1, "bundle": encode(wanted)},
        {"op": "apply", "id": 2, "bundle": encode(wanted)},
        {"op": "apply", "id": 3, "bundle": encode(replace(wanted, checks=()))},
    )
    told = json.dumps(answers)
    assert "unknown word in: BROKEN near (secret)" in told
    assert '"changed":' in told
    assert "hunter" not in told


SHORT = """
import sys
from stillup.node import session
session.LINE_CHECK_S, session.IDLE_S = 0.05, float(sys.argv[1])
session.main()
"""


@contextlib.contextmanager
def watched(idle_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    """A session that gives a silent controller up after ``idle_s`` seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", SHORT, str(idle_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_session_ends_when_its_controller_fell_silent() -> None:
    with watched(0.5) as process:
        assert process.stdout is not None
        # Its standard input stays open, as that of a controller whose network was cut.
        assert process.stdout.read() == b""
        assert process.wait(10) == 0


def test_a_controller_that_says_empty_lines_keeps_its_session() -> None:
    with watched(1.0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(20):
            process.stdin.write(b"\n")
            process.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
        request = b'{"op":"release.list","id":1}\n'
        # A line that takes longer to come than a controller may be silent.
        for byte in request[:20]:
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
        process.stdin.write(request[20:])
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1


def test_a_part_of_the_state_is_asked_for_without_a_look_at_the_others(world: Folder) -> None:
    (part,) = talk(world, {"op": "state", "id": 1, "parts": ["manifest", "unfinished"]})
    assert part["result"] == {"manifest": None, "unfinished": False}
    assert world.calls == []

    (whole,) = talk(world, {"op": "state", "id": 2})
    assert isinstance(whole["result"], dict)
    assert set(whole["result"]) == set(PARTS)
    (refused,) = talk(world, {"op": "state", "id": 3, "parts": ["weather"]})
    assert refused["error"] == {
        "code": "input-refused",
        "message": "state: there is no part 'weather'",
    }
