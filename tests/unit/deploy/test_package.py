"""The site's folder as an archive: what is in it, and what is refused."""

import os
import tarfile
from pathlib import Path

import pytest

from stillup.deploy.package import EPOCH_S, Package, pack
from stillup.errors import InputRefused
from stillup.node.unpack import unpack


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "lib").mkdir(parents=True)
    (folder / "index.php").write_text("<?php require 'lib/a.php';")
    (folder / "lib" / "a.php").write_text("<?php")
    return folder


def packed(folder: Path) -> tuple[str, str, bytes]:
    with pack(folder) as package:
        return package.release, package.sha256, package.archive.read()


def entries(folder: Path) -> list[tarfile.TarInfo]:
    with pack(folder) as package, tarfile.open(fileobj=package.archive, mode="r:gz") as tar:
        return tar.getmembers()


def test_the_same_content_is_the_same_archive_whatever_its_times_and_owner(
    site: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (copy / "lib").mkdir(parents=True, mode=0o700)
    (copy / "lib" / "a.php").write_text("<?php")
    (copy / "index.php").write_text("<?php require 'lib/a.php';")
    (copy / "index.php").chmod(0o600)
    os.utime(copy / "index.php", (1, 1))
    assert packed(site) == packed(copy)


@pytest.mark.parametrize("change", ["content", "name", "folder", "executable", "link"])
def test_other_content_is_another_release(site: Path, change: str) -> None:
    before = packed(site)[0]
    match change:
        case "content":
            (site / "index.php").write_text("<?php require 'lib/b.php';")
        case "name":
            (site / "index.php").rename(site / "start.php")
        case "folder":
            (site / "empty").mkdir()
        case "executable":
            (site / "index.php").chmod(0o755)
        case _:
            (site / "link").symlink_to("index.php")
    assert packed(site)[0] != before


def test_files_are_roots_and_equal_content_has_equal_times(site: Path) -> None:
    (site / "same.php").write_text("<?php")
    found = {entry.name: entry for entry in entries(site)}
    assert list(found) == ["index.php", "lib", "lib/a.php", "same.php"]
    assert {(entry.uid, entry.gid, entry.uname) for entry in found.values()} == {(0, 0, "root")}
    assert (found["lib"].mode, found["index.php"].mode) == (0o755, 0o644)
    assert found["same.php"].mtime == found["lib/a.php"].mtime != found["index.php"].mtime
    assert EPOCH_S <= found["same.php"].mtime < EPOCH_S + 2**28


def test_git_is_left_out(site: Path) -> None:
    before = packed(site)
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("x")
    (site / "lib" / ".git").write_text("gitdir: elsewhere")
    (site / ".gitignore").write_text("x")
    assert packed(site) == before


def test_the_node_takes_what_is_packed(site: Path, tmp_path: Path) -> None:
    (site / "up").symlink_to("lib/../index.php")
    (site / "lib" / "ümläut \n.php").write_text("x")
    with pack(site) as package:
        unpack(package.archive, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "up").read_text() == "<?php require 'lib/a.php';"
    assert (tmp_path / "unpacked" / "lib" / "ümläut \n.php").read_text() == "x"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "lib/../../secret", ".."])
def test_a_link_that_leads_outside_is_refused(site: Path, target: str) -> None:
    (site / "link").symlink_to(target)
    with pytest.raises(InputRefused, match=f"link is a link to {target}, outside of"):
        pack(site)


def test_what_is_no_file_is_refused(site: Path) -> None:
    os.mkfifo(site / "pipe")
    with pytest.raises(InputRefused, match="pipe is no file, folder or link"):
        pack(site)


@pytest.mark.parametrize(
    "name", ["farm.secrets.toml", "shop.secrets.toml", ".new.shop.secrets.toml", "a.secrets.toml~"]
)
def test_a_farms_secrets_are_never_released(site: Path, name: str) -> None:
    (site / "lib" / name).write_text("x")
    with pytest.raises(InputRefused, match="holds a farm's secrets"):
        pack(site)


def test_a_missing_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="site is no folder"):
        pack(tmp_path / "site")
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    with pytest.raises(InputRefused, match="empty is empty"):
        pack(tmp_path / "empty")


def test_a_large_site_goes_through_a_file(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = packed(site)
    monkeypatch.setattr("stillup.deploy.package.MEMORY_BYTES", 16)
    assert packed(site) == before


def test_a_package_is_closed_by_its_context(site: Path) -> None:
    with pack(site) as package:
        assert isinstance(package, Package)
    assert package.archive.closed
