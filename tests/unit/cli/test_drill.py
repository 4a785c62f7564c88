"""``stillup drill`` until the first fault would be played: what there is, what is allowed, what is refused."""

from pathlib import Path

import pytest

from stillup.cli.main import run

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/farm.toml"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example in a folder of its own, with its site, entered."""
    (tmp_path / "farm.toml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "farm.toml"


def allow(farm: Path, *words: str) -> None:
    listed = ", ".join(f'"{word}"' for word in words)
    farm.write_text(farm.read_text(encoding="utf-8") + f"\n[drills]\nallow = [{listed}]\n")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run(["drill", *words])
    out, err = capsys.readouterr()
    assert out == ""
    return code, " ".join(err.split())


def test_the_list_says_what_there_is_and_what_need_not_be_survived(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["drill", "--list", "power-off data1", "power-off lb1 + *", "power-off all web"]) == 0
    )
    assert capsys.readouterr().out.splitlines() == [
        "control",
        "power-off data1",
        "power-off lb1 + lb2  (need not be survived: nobody can hold the virtual IP)",
        "power-off lb1 + web1",
        "power-off lb1 + web2",
        "power-off lb1 + data1",
        "power-off lb1 + data2",
        "power-off web1 + web2  (need not be survived: no web server is left)",
    ]
    assert run(["drill", "--list"]) == 0
    assert capsys.readouterr().out.startswith("--set short ")


def test_on_real_servers_nothing_is_done_that_the_farm_file_does_not_name(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allow(farm, "power-off web*")
    code, told = refused(capsys, "power-off web1", "power-off lb1", "--yes")
    assert code == 2
    assert "does not allow these on its servers: power-off lb1;" in told


def test_without_anybody_to_ask_nothing_is_done(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allow(farm, "power-off web*")
    code, told = refused(capsys, "power-off web1")
    assert code == 2
    assert "control power-off web1" in told
    assert "--yes" in told


def test_a_mistyped_fault_is_told_with_the_nearest_one(
    farm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = refused(capsys, "power-of web1")
    assert (code, 'did you mean "power-off web1"?' in told) == (2, True)
