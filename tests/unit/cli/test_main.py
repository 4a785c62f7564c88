"""The command line: which command, which options, which exit code, which words on failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stillup import __version__
from stillup.cli import check
from stillup.cli.main import COMMANDS, run
from stillup.errors import ChangeRefused, PromiseBroken, ServerUnreachable

EXAMPLE = Path(__file__).resolve().parents[3] / "tests/farms/six.toml"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example in it, entered."""
    (tmp_path / "farm.toml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"    {name} " in told
        assert command.summary.split()[0] in told
    assert "exit codes: 0 done" in told


def test_no_command_shows_the_help_and_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "to begin:" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"stillup {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_the_options_of_every_command(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: stillup {name} ")
    assert "-f FILE" in told
    assert "--lab" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chekc"], "stillup: there is no command chekc; did you mean `stillup check`?\n"),
        (["-f", "x", "fly"], "stillup: there is no command fly; see `stillup --help`\n"),
        (
            ["check", "--jsno"],
            "stillup: unrecognized arguments: --jsno; see `stillup --help`\n",
        ),
        (
            ["check", "-f"],
            "stillup: argument -f/--file: expected one argument; see `stillup check --help`\n",
        ),
        (
            ["--json", "init"],
            "stillup: `stillup init` has nothing to tell as JSON; leave out --json\n",
        ),
        (
            ["check", "-f", "no/farm.toml"],
            "stillup: no/farm.toml does not exist; `stillup init` writes one, -f names another\n",
        ),
        (["a\x1b[31mb"], "stillup: there is no command a\\x1b[31mb; see `stillup --help`\n"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_code_2(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize(
    "words",
    [
        ["-f", "farm.toml", "check", "--json"],
        ["check", "-f", "farm.toml", "--json"],
        ["--json", "check", "--file=farm.toml"],
        ["--json", "-ffarm.toml", "check"],
        ["-f", "other.toml", "check", "--json", "-f", "farm.toml"],
    ],
)
def test_global_options_stand_before_or_behind_the_command(
    words: list[str], farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0
    assert capsys.readouterr().out.startswith('{\n  "sound": true,\n  "farm": "shop"')


@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        (ServerUnreachable("web1 is off"), 1, "web1 is off"),
        (PromiseBroken("an outage of 2 s"), 3, "an outage of 2 s"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_its_exit_code(
    failure: BaseException,
    code: int,
    told: str,
    farm: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(_: object) -> int:
        raise failure

    monkeypatch.setattr(check, "run", failing)
    assert run(["check"]) == code
    assert capsys.readouterr() == ("", f"stillup: {told}\n")


def test_failures_of_several_tasks_are_each_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = ExceptionGroup("inner", [ChangeRefused("locked by ann")])

    def failing(_: object) -> int:
        raise ExceptionGroup("tasks", [ServerUnreachable("web1 is off"), inner])

    monkeypatch.setattr(check, "run", failing)
    assert run(["check"]) == 1
    assert capsys.readouterr().err == "stillup: web1 is off\nstillup: locked by ann\n"


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: object) -> int:
        raise ExceptionGroup("tasks", [ServerUnreachable("web1 is off"), ZeroDivisionError()])

    monkeypatch.setattr(check, "run", failing)
    with pytest.raises(ExceptionGroup) as caught:
        run(["check"])
    assert caught.value.subgroup(ZeroDivisionError) is not None


def test_a_reader_who_leaves_is_no_error(farm: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "stillup", "check"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


def test_a_narrow_encoding_shows_escapes(farm: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace('"shop"', '"schöner"')
    (farm / "farm.toml").write_text(text, encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-m", "stillup", "check"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert process.returncode == 2
    assert b"sch\\xf6ner" in process.stdout


def test_check_imports_nothing_of_the_other_commands(farm: Path) -> None:
    """What `stillup apply` needs takes longer to import than `stillup check` may run."""
    script = "import sys; from stillup.cli.main import run; run(['check']); print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(process.stdout.split())
    assert not loaded & {"asyncssh", "rich", "jinja2", "asyncio", "hypothesis"}
    assert "cryptography.x509" not in loaded


ADDITIONS = 8_000_000
"""0.4 s of a processor that does twenty million in a second."""


def processor_s(*words: str) -> float:
    """What a program of Python takes: the least of three, so that a busy machine is no failure."""
    taken = []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        taken.append(usage.ru_utime + usage.ru_stime)
    return min(taken)


def test_check_takes_no_longer_than_eight_million_additions(farm: Path) -> None:
    """So that a slow machine is no failure either."""
    adding = f"total = 0\nfor number in range({ADDITIONS}):\n    total += number"
    assert processor_s("-m", "stillup", "check") < processor_s("-c", adding)
