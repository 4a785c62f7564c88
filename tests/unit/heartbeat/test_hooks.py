"""Commands run beside the daemon: a real runner, real commands."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from stillup.heartbeat import hook_runner
from stillup.heartbeat.hooks import Hooks, runner
from stillup.heartbeat.loop import Loop
from stillup.heartbeat.settings import of_values
from stillup.heartbeat.settings_reader import Json

Told = list[tuple[str, Mapping[str, object]]]


@pytest.fixture
def loop() -> Loop:
    return Loop()


def turn_until(loop: Loop, is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end_s
        loop.at("turn", loop.now_s() + 0.01, lambda _: None)
        loop.turn()


@pytest.fixture
def told() -> Told:
    return []


@contextmanager
def hooks(loop: Loop, told: Told, *commands: tuple[str, ...]) -> Iterator[Hooks]:
    settings, _ = of_values({"name": "lb1", "on_acquire": [[*command] for command in commands]})
    beside = runner()
    try:
        yield Hooks(loop, settings, lambda words, fields: told.append((words, fields)), beside)
    finally:
        beside.channel.close()
        beside.process.kill()
        beside.process.wait()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    made = tmp_path / "script"
    made.write_text(
        '#!/bin/sh\necho "$1 $ADDRESS $SERVER $REASON $(grep CapEff /proc/self/status)" >>"$0.out"\nexit "$2"\n'
    )
    made.chmod(0o755)
    return made


def test_commands_run_in_order_and_their_failure_is_told(
    loop: Loop, told: Told, script: Path
) -> None:
    commands = ((str(script), "one", "0"), (str(script), "two", "3"), ("/no/such",))
    with hooks(loop, told, *commands) as made:
        made.run("on_acquire", "10.0.0.1", "it has enough votes")
        made.run("on_release", "10.0.0.1", "there is nothing to run")
        turn_until(loop, lambda: len(told) == 3)

    lines = Path(f"{script}.out").read_text().splitlines()
    assert [line.partition(" Cap")[0] for line in lines] == [
        "one 10.0.0.1 lb1 it has enough votes",
        "two 10.0.0.1 lb1 it has enough votes",
    ]
    assert [(words, fields["error"]) for words, fields in told] == [
        ("hook ran", ""),
        ("hook failed", "exit code 3"),
        ("hook failed", "No such file or directory"),
    ]
    last: Json = made.last["on_acquire 10.0.0.1"]
    assert isinstance(last, dict)
    assert last["command"] == "/no/such"
    assert made.warnings() == ["on_acquire 10.0.0.1 failed: No such file or directory"]


def test_that_none_can_run_any_more_is_told_and_warned_of(loop: Loop, told: Told) -> None:
    with hooks(loop, told, ("/bin/true",)) as made:
        assert made.warnings() == []
        assert made._runner is not None
        made._runner.process.kill()
        turn_until(loop, lambda: bool(told))
        assert "their process has ended" in made.warnings()[0]


@pytest.mark.timeout(60)
def test_a_command_that_hangs_is_not_waited_for(loop: Loop, told: Told) -> None:
    with hooks(loop, told, ("/bin/sleep", "600")) as made:
        for _ in range(3000):
            made.run("on_acquire", "10.0.0.1", "a reason that is long enough to fill a buffer" * 4)
    assert {words for words, _ in told} == {"hook not run"}
    assert made.last["on_acquire 10.0.0.1"] == {
        "error": "not run: Resource temporarily unavailable"
    }


def test_what_takes_too_long_is_killed_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_runner, "LIMIT_S", 0.2)
    began_s = time.monotonic()
    ended = hook_runner.ran(["/bin/sh", "-c", "sleep 60 & wait"], {})
    assert ended["error"] == "killed after 0.2 s"
    assert time.monotonic() - began_s < 30
    assert json.dumps(ended)
