"""Which machines need NFS, and how one boots as User-Mode Linux."""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from stillup.errors import LabFailed
from stillup.lab import kernels, uml
from stillup.lab.disk import Disk
from stillup.model.farm import Farm
from stillup.model.read import read_farm


def farm(**roles: str) -> Farm:
    """Return a farm of these servers; their roles stand apart by spaces."""
    servers = "\n".join(
        f'{name} = {{ address = "10.0.0.{number}", roles = {said.split()} }}'
        for number, (name, said) in enumerate(roles.items(), 2)
    )
    text = f"""
[farm]
name = "shop"
[network]
lan = "10.0.0.0/24"
[vip]
addresses = ["10.0.0.1"]
[site]
hosts = ["shop.example"]
source = "site/"
[servers]
{servers}
"""
    read = read_farm(text.replace("'", '"').encode(), "farm.toml")
    assert isinstance(read, Farm), read
    return read


def names(of: Farm) -> list[str]:
    return [server.name for server in kernels.nfs_users(of)]


def test_one_storage_server_and_every_web_server_use_nfs() -> None:
    assert names(farm(lb1="balancer", web1="web", web2="web", nfs1="storage", db1="database")) == [
        "web1",
        "web2",
        "nfs1",
    ]


@pytest.mark.parametrize("storage", [{}, {"data1": "storage", "data2": "storage"}])
def test_without_a_storage_server_and_with_two_there_is_no_nfs(storage: dict[str, str]) -> None:
    assert names(farm(lb1="balancer", web1="web", db1="database", **storage)) == []


def test_a_balancer_that_uses_nfs_is_refused_by_name() -> None:
    both = farm(one="balancer web database", two="balancer storage")
    with pytest.raises(LabFailed, match=r"^one is a balancer and uses NFS"):
        kernels.refuse_balancers(kernels.nfs_users(both))
    apart = farm(lb1="balancer", web1="web database", nfs1="storage")
    kernels.refuse_balancers(kernels.nfs_users(apart))


def disk(*, console: str | None) -> Disk:
    return Disk(
        "nfs1",
        IPv4Interface("10.0.0.6/24"),
        "02:00:00:00:00:01",
        Path("/images/1"),
        console=None if console is None else IPv4Address(console),
    )


def test_a_record_says_which_kernel_a_machine_has() -> None:
    assert not uml.is_one(disk(console=None).links)
    assert uml.is_one(disk(console="10.0.0.253").links)


def test_the_kernels_command_line_has_what_early_boot_asks_for() -> None:
    record = {"mac": "02:00:00:00:00:01", "image": "/images/1", **disk(console="10.0.0.253").links}
    words = uml.command(Path("/lab/nfs1"), Path("/lab/nfs1/early-boot"), "nfs1", record)
    assert words[0] == "linux.uml"
    assert "vec0:transport=tap,ifname=tap0,depth=128,gro=1,mac=02:00:00:00:00:01" in words
    asked = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    assert asked["init"] == "/lab/nfs1/early-boot"
    assert asked["ubda"] == "/lab/nfs1/disk.ext4"
    assert (asked["lab_image"], asked["lab_own"]) == ("/images/1", "/lab/nfs1/upper")
    # The kernel takes no more than 2 kB of it and drops the rest in silence.
    assert len(" ".join(words)) < 1500


def test_a_disk_is_made_whole_and_takes_no_room(tmp_path: Path) -> None:
    uml.make_disk(tmp_path)
    [made] = tmp_path.iterdir()
    assert made.name == "disk.ext4"
    assert made.stat().st_blocks * 512 < 20_000_000 < made.stat().st_size
