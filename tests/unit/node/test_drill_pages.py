"""The pages of a drill on a web server: never there without what removes them."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.unit.node.interruption import killed_at
from tests.unit.node.scripted import Folder
from tests.unit.node.test_fcgi import record

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import drill_install, drill_kept, drill_place, fcgi
from stillup.node.drill_removal import remove

TOKEN, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
MARK = TOKEN[:8]


@pytest.fixture
def world(tmp_path: Path) -> Folder:
    return server(tmp_path / "server")


def server(root: Path) -> Folder:
    site = root / drill_install.NGINX_SITE.lstrip("/")
    site.parent.mkdir(parents=True)
    site.write_text("location ^~ /stillup-drill- {}\n")
    (root / "etc/systemd/system").mkdir(parents=True)
    return Folder(root)


def left(world: Folder) -> list[str]:
    """Return every path that has to do with a drill."""
    paths = (str(path.relative_to(world.root)) for path in world.root.rglob("*"))
    return sorted(path for path in paths if "drill" in path and "run/" not in path)


@contextmanager
def pool(world: Folder, *answers: bytes) -> Iterator[list[bytes]]:
    """PHP's pool: gives these answers, one a connection."""
    place = world.root / fcgi.POOL.lstrip("/")
    place.parent.mkdir(parents=True)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(1)

        def serve() -> None:
            for answer in answers:
                line, _ = listener.accept()
                with line:
                    heard.append(line.recv(65536))
                    line.sendall(record(fcgi.STDOUT, answer) + record(fcgi.END, b"\0" * 8))

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)
        assert not thread.is_alive(), "not all were asked for"


def test_what_is_installed_has_a_timer_and_is_removed_without_a_trace(world: Folder) -> None:
    assert drill_install.install(world, TOKEN, 60, "/srv/shared/uploads") == 1_700_000_060.0
    folder = world.root / "var/lib/stillup-drill" / TOKEN
    assert json.loads((folder / "settings.json").read_text()) == {
        "token": TOKEN,
        "until": 1_700_000_060.0,
        "folder": f"/srv/shared/uploads/.stillup-drill-{TOKEN}",
        "whole": False,
    }
    timer = world.root / f"etc/systemd/system/stillup-drill-{MARK}.timer"
    assert "OnCalendar=2023-11-14 22:14:21 UTC\n" in timer.read_text()
    assert world.unit(timer.name) == ("active", "disabled")
    wants = timer.parent / "timers.target.wants" / timer.name
    assert wants.resolve() == timer
    with pool(world, b"Status: 202 Accepted\r\n\r\nmore", b"X: y\r\n\r\nended") as heard:
        assert remove(world, MARK)
    assert len(heard) == 2
    assert f"/var/lib/stillup-drill/.{TOKEN}/probe.php".encode() in heard[0]
    assert left(world) == []
    assert world.unit(timer.name)[0] == "inactive"


def test_what_the_site_cannot_end_is_out_of_reach_and_kept_for_the_timer(world: Folder) -> None:
    drill_install.install(world, TOKEN, 60, None)
    with (
        pool(world, b"Status: 409 Conflict\r\n\r\nno database"),
        pytest.raises(ServerFailed, match="'end' answers 409: no database"),
    ):
        remove(world, MARK)
    home = world.root / "var/lib/stillup-drill"
    assert sorted(path.name for path in home.iterdir()) == [f".{MARK}.code", f".{TOKEN}"]
    assert world.unit(f"stillup-drill-{MARK}.timer")[0] == "active"


def test_a_second_drill_is_refused_while_one_is_installed(world: Folder) -> None:
    drill_install.install(world, TOKEN, 60, None)
    with pytest.raises(ChangeRefused, match=r"another drill .* gone at 22:14:20 UTC"):
        drill_install.install(world, OTHER, 60, None)
    assert drill_place.tokens(world) == [TOKEN]


def test_asked_for_again_the_end_is_put_off(world: Folder) -> None:
    drill_install.install(world, TOKEN, 60, None)
    drill_install.install(world, TOKEN, 120, None)
    folder = world.root / "var/lib/stillup-drill" / TOKEN
    assert drill_place.until_s(folder) == 1_700_000_120.0
    timer = world.root / f"etc/systemd/system/stillup-drill-{MARK}.timer"
    assert "22:14:21 UTC" in timer.read_text(), "systemd is not asked each time"
    assert not remove(world, MARK, only_over=True), "the timer of before came too early"
    assert "22:15:21 UTC" in timer.read_text()


def test_a_web_server_that_does_not_know_such_pages_is_told_so(world: Folder) -> None:
    (world.root / drill_install.NGINX_SITE.lstrip("/")).write_text("server {}\n")
    with pytest.raises(ChangeRefused, match="`stillup apply` first"):
        drill_install.install(world, TOKEN, 60, None)
    assert left(world) == []


@pytest.mark.parametrize(
    ("token", "seconds"),
    [("../" * 10 + "ab", 60), (TOKEN.upper(), 60), (TOKEN, 9), (TOKEN, 90_000)],
)
def test_bad_arguments_are_refused(world: Folder, token: str, seconds: int) -> None:
    with pytest.raises(InputRefused):
        drill_install.install(world, token, seconds, None)


def test_killed_at_any_point_there_are_no_pages_without_a_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All its other files are copied as these are, and each would be some steps more.
    monkeypatch.setattr(drill_install, "CODE", ("__init__.py", "errors.py"))
    step = 0
    came_so_far = True
    while came_so_far:
        step += 1
        one = server(tmp_path / str(step))
        came_so_far = killed_at(step, partial(drill_install.install, one, TOKEN, 60, None))
        if drill_place.tokens(one):
            assert one.unit(f"stillup-drill-{MARK}.timer")[0] == "active"
        (one.root / "var/lib/stillup-drill" / TOKEN / "settings.json").unlink(missing_ok=True)
        assert remove(one, MARK)
        assert left(one) == []
    assert step > 10


def test_the_timer_finds_all_that_it_needs_beside_the_pages(world: Folder, tmp_path: Path) -> None:
    drill_install.install(world, TOKEN, 60, None)
    service = world.root / f"etc/systemd/system/stillup-drill-{MARK}.service"
    command = re.search(r"ExecStart=/usr/bin/python3 (.*)", service.read_text())
    assert command is not None
    code = world.root / f"var/lib/stillup-drill/.{MARK}.code"
    asked = "import stillup.node.drill_removal as r, stillup.node.machine; print(r.__file__)"
    ran = subprocess.run(
        [sys.executable, "-S", "-s", "-P", "-c", asked],
        env={"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{code}/stillup/node/drill_removal.py\n"


def test_numbers_are_told_as_spans_of_those_with_the_right_content(world: Folder) -> None:
    folder = world.root / f"srv/brick/uploads/.stillup-drill-{TOKEN}"
    folder.mkdir(parents=True)
    for number in (7, 1, 2, 3, 9):
        (folder / str(number)).write_text(f"file {number} of {TOKEN}\n" * 100)
    (folder / "9").write_text(f"file 9 of {TOKEN}\n" * 99)
    (folder / ".4.0a1b").write_text("half written")
    (folder / "page").write_text(TOKEN)
    assert drill_kept.files(world, TOKEN, "/srv/brick/uploads") == [(1, 3), (7, 7)]
    with pytest.raises(ServerFailed, match="keeps nothing of the drill"):
        drill_kept.files(world, OTHER, "/srv/brick/uploads")
