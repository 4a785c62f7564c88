"""With which address the kernel is had to ask its neighbours."""

from pathlib import Path

import pytest

from stillup.heartbeat import asking


@pytest.mark.parametrize(
    ("everywhere", "own", "after"),
    [("0", "0", "2"), ("1", "0", "2"), ("0", "1", "2"), ("2", "0", "0"), ("0", "2", "2")],
)
def test_the_greater_of_the_two_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everywhere: str, own: str, after: str
) -> None:
    monkeypatch.setattr(asking, "CONF", tmp_path)
    for name, value in (("all", everywhere), ("eth0", own)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "arp_announce").write_text(f"{value}\n")

    assert asking.ask_as_itself("eth0") is (after != own)

    assert (tmp_path / "eth0" / "arp_announce").read_text() == f"{after}\n"
    assert (tmp_path / "all" / "arp_announce").read_text() == f"{everywhere}\n"


def test_an_interface_that_is_missing_is_left_to_its_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "CONF", tmp_path)
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "arp_announce").write_text("0\n")

    assert not asking.ask_as_itself("eth0")

    assert [place.name for place in tmp_path.iterdir()] == ["all"]
