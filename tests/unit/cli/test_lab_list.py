"""``stillup lab list`` for somebody who may not look."""

import os
from pathlib import Path

import pytest

from stillup.cli.main import run
from stillup.lab import lab


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_is_not_root_is_told_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labs = tmp_path / "labs"
    labs.mkdir(mode=0o700)
    monkeypatch.setattr(lab, "LABS", labs)
    # Once as root: what it imports lies where others may not read.
    assert run(["lab", "list"]) == 0
    os.seteuid(65534)
    try:
        code = run(["lab", "list"])
    finally:
        os.seteuid(0)
    assert code == 1
    assert "belongs to root; `sudo stillup lab list` shows it" in capsys.readouterr().err
