"""The secrets file on disk: made once, private, completed, and never half written."""

import multiprocessing
import os
import re
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from stillup.cli.certificate import LASTS, REMADE_WITHIN
from stillup.cli.context import load_farm, load_secrets
from stillup.cli.secrets_file import complete_secrets, given_secrets, secrets_path
from stillup.errors import InputRefused
from stillup.model.farm import Farm, Secrets
from stillup.model.secrets import GivenSecrets, write_secrets

EXAMPLE = Path(__file__).resolve().parents[3] / "tests/farms/six.toml"
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A farm file in a folder of its own."""
    made = tmp_path / "farm.toml"
    made.write_bytes(EXAMPLE.read_bytes())
    return made


@pytest.fixture
def farm(path: Path) -> Farm:
    return load_farm(path)


def test_secrets_are_made_on_first_use_and_the_same_ever_after(farm: Farm, path: Path) -> None:
    made = load_secrets(farm, path)
    assert re.fullmatch(r"[0-9a-f]{64}", made.heartbeat_key)
    assert len({made.heartbeat_key, made.database_password, made.stats_password}) == 3
    assert len(made.database_password) == len(made.stats_password) == 32
    assert load_secrets(farm, path) == made
    file = secrets_path(path)
    assert file.name == "farm.secrets.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == [
        ".gitignore",
        "farm.secrets.toml",
        "farm.toml",
    ]


def test_a_secret_that_is_missing_is_made_and_the_others_stay(farm: Farm, path: Path) -> None:
    before = complete_secrets(farm, path, NOW)
    file = secrets_path(path)
    file.write_text(write_secrets(replace(before, stats_password=None)), encoding="utf-8")
    after = complete_secrets(farm, path, NOW)
    assert after.stats_password not in {None, before.stats_password}
    assert replace(after, stats_password=None) == replace(before, stats_password=None)
    assert given_secrets(path) == after


def test_an_empty_secrets_file_is_filled(farm: Farm, path: Path) -> None:
    secrets_path(path).touch(0o600)
    assert load_secrets(farm, path).heartbeat_key


def load(path: Path) -> Secrets:
    return load_secrets(load_farm(path), path)


def test_processes_that_begin_at_once_get_one_set(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(load, [path] * 12, chunksize=1)
    assert {secrets.heartbeat_key for secrets in made} == {load(path).heartbeat_key}
    assert len({secrets.tls_pem for secrets in made}) == 1


def test_what_a_killed_process_left_behind_is_written_over(farm: Farm, path: Path) -> None:
    left = path.with_name(".new.farm.secrets.toml")
    left.write_text('stats_password = "half', encoding="utf-8")
    left.chmod(0o644)
    load_secrets(farm, path)
    assert not left.exists()
    assert stat.S_IMODE(secrets_path(path).stat().st_mode) == 0o600


def test_a_link_in_the_way_of_writing_is_not_followed(farm: Farm, path: Path) -> None:
    target = path.with_name("target")
    path.with_name(".new.farm.secrets.toml").symlink_to(target)
    with pytest.raises(InputRefused, match="cannot be written: Too many levels"):
        load_secrets(farm, path)
    assert not target.exists()


def test_a_linked_secrets_file_stays_a_link(farm: Farm, path: Path) -> None:
    safe = path.parent / "safe"
    safe.mkdir()
    (safe / "s.toml").touch(0o600)
    secrets_path(path).symlink_to(safe / "s.toml")
    made = load_secrets(farm, path)
    assert secrets_path(path).is_symlink()
    assert load_secrets(farm, path) == made


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601, 0o777])
def test_secrets_that_others_can_open_are_refused_and_kept(
    mode: int, farm: Farm, path: Path
) -> None:
    made = load_secrets(farm, path)
    secrets_path(path).chmod(mode)
    with pytest.raises(InputRefused) as refused:
        load_secrets(farm, path)
    assert f"farm.secrets.toml is open to others (mode {mode:04o}); `chmod 600` it" in str(
        refused.value
    )
    secrets_path(path).chmod(0o600)
    assert load_secrets(farm, path) == made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_secrets_that_are_another_s_are_refused_but_root_serves_the_folder_s_owner(
    farm: Farm, path: Path
) -> None:
    load_secrets(farm, path)
    os.chown(secrets_path(path), 4321, 4321)
    with pytest.raises(InputRefused, match="belongs to user 4321; it has to be yours"):
        load_secrets(farm, path)
    os.chown(path.parent, 4321, 4321)
    before = load_secrets(farm, path)
    secrets_path(path).unlink()
    assert load_secrets(farm, path) != before
    assert (secrets_path(path).stat().st_uid, secrets_path(path).stat().st_gid) == (4321, 4321)


def test_wrong_secrets_are_told_without_them(farm: Farm, path: Path) -> None:
    file = secrets_path(path)
    file.write_text('stats_password = "too-short"\nheartbeat = "s3cret"\n', encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(InputRefused) as refused:
        load_secrets(farm, path)
    assert str(refused.value).startswith(f"2 problems in {file}\n{file}:1: stats_password: ")
    assert "too-short" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_folder_in_the_secrets_place_is_told(farm: Farm, path: Path) -> None:
    secrets_path(path).mkdir()
    with pytest.raises(InputRefused, match=r"farm\.secrets\.toml is a folder; name a file"):
        load_secrets(farm, path)


def certificate(secrets: GivenSecrets) -> x509.Certificate:
    assert secrets.tls_pem is not None
    return x509.load_pem_x509_certificate(secrets.tls_pem.encode())


def test_the_certificate_is_made_anew_before_it_ends_and_when_the_names_change(
    farm: Farm, path: Path
) -> None:
    first = complete_secrets(farm, path, NOW)
    assert certificate(first).not_valid_after_utc == NOW - timedelta(days=1) + LASTS
    late = certificate(first).not_valid_after_utc - REMADE_WITHIN
    assert complete_secrets(farm, path, late - timedelta(seconds=1)) == first
    second = complete_secrets(farm, path, late)
    assert certificate(second).not_valid_after_utc > late + timedelta(days=800)
    assert replace(second, tls_pem=None) == replace(first, tls_pem=None)
    renamed = replace(farm, site=replace(farm.site, hosts=("shop.example", "new.example")))
    names = certificate(complete_secrets(renamed, path, late)).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["shop.example", "new.example"]
    assert found.get_values_for_type(x509.IPAddress) == list(farm.vip.addresses)


def test_without_tls_there_is_no_certificate(farm: Farm, path: Path) -> None:
    plain = replace(farm, tls=replace(farm.tls, enabled=False))
    assert load_secrets(plain, path).tls_pem == ""
    assert "PRIVATE" not in secrets_path(path).read_text(encoding="utf-8")


def test_a_gitignore_that_is_no_utf_8_is_added_to(farm: Farm, path: Path) -> None:
    ignore = path.with_name(".gitignore")
    ignore.write_bytes(b"/caf\xe9")
    load_secrets(farm, path)
    assert ignore.read_bytes() == b"/caf\xe9\n*.secrets.toml\n"


def test_git_is_told_to_ignore_the_secrets_before_there_are_any(farm: Farm, path: Path) -> None:
    path.with_name(".gitignore").mkdir()
    with pytest.raises(InputRefused, match="cannot be written"):
        load_secrets(farm, path)
    assert not secrets_path(path).exists()
