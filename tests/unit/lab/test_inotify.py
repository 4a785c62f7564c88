"""The limit that machines share with their host is raised, never lowered, and said."""

from pathlib import Path

from stillup.lab.inotify import ENOUGH, ensure


def test_a_low_limit_is_raised_and_said(tmp_path: Path) -> None:
    limit, said = tmp_path / "limit", list[str]()
    limit.write_text("128\n")
    ensure(said.append, limit)
    assert limit.read_text() == f"{ENOUGH}\n"
    assert said == [
        f"fs.inotify.max_user_instances raised from 128 to {ENOUGH} until the next reboot"
    ]


def test_a_high_limit_is_left_alone(tmp_path: Path) -> None:
    limit, said = tmp_path / "limit", list[str]()
    limit.write_text("8192\n")
    ensure(said.append, limit)
    assert (limit.read_text(), said) == ("8192\n", [])
