"""Releases: uploaded, unpacked, switched, five kept; and what is refused."""

import base64
import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.node.interruption import full_at, killed_at
from tests.unit.node.scripted import Folder

from stillup.errors import ChangeRefused, InputRefused, ServerFailed
from stillup.node import release
from stillup.node.world import OUT_OF_TIME, Ran


@pytest.fixture
def world() -> Iterator[Folder]:
    folder = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=folder if folder.is_dir() else None) as made:
        root = Path(made) / "server"
        (root / "srv").mkdir(parents=True)
        yield Folder(root)


def member(name: str, text: str = "", *, kind: bytes = tarfile.REGTYPE, to: str = "") -> object:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, to, len(text), 0o777
    return info, text.encode()


def archive(*members: object) -> bytes:
    target = io.BytesIO()
    # Packed without the time: the same site packed a second later is the same archive.
    with (
        gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for item in members:
            assert isinstance(item, tuple)
            tar.addfile(item[0], io.BytesIO(item[1]))
    return target.getvalue()


def site(text: str) -> bytes:
    return archive(
        member("public", kind=tarfile.DIRTYPE),
        member("public/index.php", text),
        member("public/home.php", kind=tarfile.SYMTYPE, to="index.php"),
    )


def put(world: Folder, name: str, data: bytes) -> bool:
    """Upload; return whether anything had to be sent."""
    upload = release.begin(world, name, hashlib.sha256(data).hexdigest(), len(data))
    if upload is None:
        return False
    for place in range(0, len(data), 100):
        release.receive(upload, base64.b64encode(data[place : place + 100]).decode())
    release.end(world, upload)
    return True


def left(world: Folder) -> list[str]:
    releases = world.root / "srv/site/releases"
    return sorted(path.name for path in releases.glob(".*") if not path.name.endswith(".sha256"))


def test_a_release_is_unpacked_readable_by_all_and_writable_by_nobody_else(world: Folder) -> None:
    assert put(world, "one", site("first"))
    assert release.switch(world, "one") == {
        "current": "one",
        "previous": None,
        "opcache": "no PHP runs here",
    }
    current = world.root / "srv/site/current"
    assert (current / "public/home.php").read_text() == "first"
    assert (current / "public/index.php").stat().st_mode & 0o777 == 0o755
    assert (current / "public").stat().st_mode & 0o777 == 0o755
    assert left(world) == []


def test_the_same_release_is_not_sent_twice_and_its_name_not_used_twice(world: Folder) -> None:
    put(world, "one", site("first"))
    assert not put(world, "one", site("first"))
    with pytest.raises(ChangeRefused, match="another release named one"):
        put(world, "one", site("second"))


def test_back_leads_to_the_release_before_and_back_again(world: Folder) -> None:
    for name in ("one", "two"):
        put(world, name, site(name))
        release.switch(world, name)
    release.switch(world, "two")
    assert release.back(world)["current"] == "one"
    assert release.listing(world) == {
        "aim": None,
        "current": "one",
        "previous": "two",
        "releases": ["one", "two"],
    }
    assert release.back(world)["current"] == "two"


def test_without_an_earlier_release_there_is_no_way_back(world: Folder) -> None:
    put(world, "one", site("first"))
    release.switch(world, "one")
    with pytest.raises(ServerFailed, match="no earlier release"):
        release.back(world)


def test_five_are_kept_and_never_the_current_or_the_previous_removed(world: Folder) -> None:
    put(world, "first", site("first"))
    release.switch(world, "first")
    for number in range(8):
        put(world, f"next{number}", site(str(number)))
    release.switch(world, "next0")
    kept = release.listing(world)["releases"]
    assert kept == ["first", "next0", "next5", "next6", "next7"]
    assert left(world) == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (member("/etc/passwd", "x"), "/etc/passwd, which lies outside"),
        (member("../x", "x"), "../x, which lies outside"),
        (member("a/../../x", "x"), "which lies outside"),
        (member("a", kind=tarfile.SYMTYPE, to="/etc"), "the link a to /etc, outside"),
        (member("a", kind=tarfile.SYMTYPE, to="b/../../c"), "outside of it"),
        (member("a", kind=tarfile.LNKTYPE, to="/etc/passwd"), "no file, folder or link"),
        (member("a", kind=tarfile.CHRTYPE), "no file, folder or link"),
        (member("a", kind=tarfile.FIFOTYPE), "no file, folder or link"),
        (member("public/index.php", "x"), "public/index.php twice"),
        (member("public/home.php/x", "x"), "whose folder is a link"),
    ],
)
def test_what_reaches_outside_is_refused_and_nothing_is_left(
    world: Folder, bad: object, told: str
) -> None:
    data = archive(
        member("public/index.php", "ok"),
        member("public/home.php", kind=tarfile.SYMTYPE, to="../public"),
        bad,
    )
    with pytest.raises(InputRefused, match=told):
        put(world, "bad", data)
    assert release.listing(world)["releases"] == []
    assert left(world) == []


@pytest.mark.parametrize("data", [b"", b"no archive", site("x")[:40]], ids=["none", "text", "cut"])
def test_what_is_no_whole_archive_is_refused(world: Folder, data: bytes) -> None:
    with pytest.raises(InputRefused, match="not a sound archive"):
        put(world, "bad", data)
    assert left(world) == []


def test_what_arrives_damaged_is_refused(world: Folder) -> None:
    upload = release.begin(world, "one", "0" * 64, 3)
    assert upload is not None
    release.receive(upload, base64.b64encode(b"abc").decode())
    with pytest.raises(ServerFailed, match="not the one that was sent"):
        release.end(world, upload)
    assert left(world) == []


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "-x", "x" * 65, "a\n"])
def test_a_name_that_could_be_a_path_is_refused(world: Folder, name: str) -> None:
    with pytest.raises(InputRefused, match="cannot name a release"):
        release.begin(world, name, "", 1)
    with pytest.raises(InputRefused, match="cannot name a release"):
        release.switch(world, name)


def test_a_release_larger_than_the_disk_is_refused_at_once(world: Folder) -> None:
    with pytest.raises(ServerFailed, match="no room for the release big"):
        release.begin(world, "big", "0" * 64, 1 << 60)


def test_killed_at_any_step_and_released_again_it_arrives_at_the_same_end(world: Folder) -> None:
    put(world, "one", site("first"))
    release.switch(world, "one")
    # Packed once: an archive holds the time at which it was packed.
    second = site("second")

    def act() -> None:
        put(again, "two", second)
        release.switch(again, "two")

    for step in range(1, 100):
        again = Folder(world.root.with_name("copy"))
        shutil.copytree(world.root, again.root, symlinks=True)
        was_killed = killed_at(step, act)
        served = (again.root / "srv/site/current/public/index.php").read_text()
        assert served in {"first", "second"}
        act()
        assert (again.root / "srv/site/current/public/index.php").read_text() == "second"
        assert release.listing(again) == {
            "aim": None,
            "current": "two",
            "previous": "one",
            "releases": ["one", "two"],
        }
        assert left(again) == []
        shutil.rmtree(again.root)
        if not was_killed:
            break
    assert step > 10


def test_a_full_disk_at_any_step_leaves_the_old_release_served(world: Folder) -> None:
    put(world, "one", site("first"))
    release.switch(world, "one")
    # Packed once: an archive holds the time at which it was packed.
    second = site("second")

    def act() -> None:
        put(again, "two", second)

    for step in range(1, 100):
        again = Folder(world.root.with_name("copy"))
        shutil.copytree(world.root, again.root, symlinks=True)
        _, error = full_at(step, again.root, act)
        assert release.current(again) == "one"
        if not error:
            break
        assert "No space left" in error
        assert release.listing(again)["releases"] == ["one"]
        assert left(again) == []
        shutil.rmtree(again.root)
    assert step > 5


def test_where_all_are_going_back_to_is_kept_until_they_are_there(world: Folder) -> None:
    put(world, "one", site("first"))
    release.aim(world, "one")
    assert release.listing(world)["aim"] == "one"
    release.aim(world, None)
    release.aim(world, None)
    assert release.listing(world)["aim"] is None
    with pytest.raises(InputRefused, match="cannot name a release"):
        release.aim(world, "../one")


def sharing(root: Path, name: str, storage: Path) -> Folder:
    """Return a web server whose whole site is on the storage, which it has mounted."""
    for folder in ("srv", "etc", "proc/self"):
        (root / name / folder).mkdir(parents=True)
    (root / name / "srv/site").symlink_to(storage)
    (root / name / "etc/machine-id").write_text(f"{name:x<32}\n")
    (root / name / "proc/self/mounts").write_text(f"10.0.0.6:/ {storage} nfs4 rw 0 0\n")
    return Folder(root / name)


def interrupt(world: Folder, name: str) -> None:
    """Begin an upload that never ends."""
    upload = release.begin(world, name, "0" * 64, 1)
    assert upload is not None
    upload.file.close()


def test_two_web_servers_bring_the_same_release_to_one_storage_at_the_same_time(
    tmp_path: Path,
) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    one, two = sharing(tmp_path, "web1", storage), sharing(tmp_path, "web2", storage)
    data = site("one")
    digest = hashlib.sha256(data).hexdigest()
    first = release.begin(one, "r1", digest, len(data))
    second = release.begin(two, "r1", digest, len(data))
    assert first is not None
    assert second is not None
    assert first.place != second.place
    for upload, world in ((first, one), (second, two)):
        release.receive(upload, base64.b64encode(data).decode())
        release.end(world, upload)
        assert release.switch(world, "r1")["current"] == "r1"
    assert (storage / "current/public/index.php").read_text() == "one"
    assert release.begin(one, "r1", digest, len(data)) is None
    assert left(one) == []


def test_two_web_servers_at_work_in_one_storage_never_get_in_each_others_way(
    tmp_path: Path,
) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    webs = [sharing(tmp_path, name, storage) for name in ("web1", "web2")]

    def bring(web: Folder, name: str, data: bytes) -> None:
        put(web, name, data)
        release.aim(web, name)
        release.switch(web, name)
        release.aim(web, None)

    with ThreadPoolExecutor(2) as threads:
        for number in range(40):
            name, data = f"r{number}", site(f"{number}")
            for done in [threads.submit(bring, web, name, data) for web in webs]:
                done.result()
            assert release.current(webs[0]) == name
    assert left(webs[0]) == []


def test_a_web_server_clears_its_own_half_done_work_and_no_other_servers(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    one, two = sharing(tmp_path, "web1", storage), sharing(tmp_path, "web2", storage)
    interrupt(one, "r1")
    interrupt(two, "r1")
    assert len(left(one)) == 2
    interrupt(one, "r2")
    assert [name for name in left(one) if "web1" in name] == [".r2@web1xxxxxxxx.tar.gz"]
    assert [name for name in left(one) if "web2" in name] == [".r1@web2xxxxxxxx.tar.gz"]


class Reading(Folder):
    """A server whose readlink comes to this end."""

    def __init__(self, root: Path, ran: Ran) -> None:
        super().__init__(root)
        self._ran = ran

    def _readlink(self, words: list[str]) -> Ran:
        assert words == ["--", "/srv/site/current"]
        return self._ran


def test_status_does_not_wait_for_a_storage_that_does_not_answer(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    root = sharing(tmp_path, "web1", storage).root
    assert release.seen(Reading(root, Ran(0, b"releases/r1\n"))) == "r1"
    assert release.seen(Reading(root, Ran(OUT_OF_TIME))) is None


def test_nothing_is_released_below_a_storage_that_is_not_mounted(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    one = sharing(tmp_path, "web1", storage)
    (one.root / "proc/self/mounts").write_text("proc /proc proc rw 0 0\n")
    with pytest.raises(ServerFailed, match="the shared storage is not mounted at"):
        release.begin(one, "r1", "0" * 64, 1)
    assert list(storage.iterdir()) == []
