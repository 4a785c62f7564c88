"""What a lab's things are called."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.unit.lab.farms import farm

from stillup.errors import LabFailed
from stillup.lab.names import client_address, lab_id, mac, port


@pytest.mark.parametrize(
    "server", ["a", "lb1", "lan", "client", "twelve-chars", "thirteen-char", "x" * 63]
)
def test_a_port_fits_the_kernel_and_is_no_other_port(server: str) -> None:
    assert len(port(server)) <= 15
    assert port(server) not in {"to-client", "lan", "lo"}


def test_long_names_that_begin_alike_have_ports_of_their_own() -> None:
    assert port("warehouse-web-1") != port("warehouse-web-2")


def test_two_farm_files_have_two_labs(tmp_path: Path) -> None:
    assert lab_id("shop", tmp_path / "a.toml") != lab_id("shop", tmp_path / "b.toml")


def test_one_farm_file_has_one_lab_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lab_id("shop", Path("farm.toml")) == lab_id("shop", tmp_path / "farm.toml")


def test_a_hardware_address_is_unicast_locally_administered_and_stays() -> None:
    address = mac("shop-1", "lb1")
    assert int(address[:2], 16) & 0b11 == 0b10
    assert address == mac("shop-1", "lb1") != mac("shop-2", "lb1")


def test_the_client_has_the_highest_address_that_is_free() -> None:
    assert client_address(farm("10.0.0.0/24", "10.0.0.2")) == IPv4Address("10.0.0.254")
    assert client_address(farm("10.0.0.0/24", "10.0.0.254")) == IPv4Address("10.0.0.253")


def test_a_full_lan_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        LabFailed, match=r"no free address for the lab's client: widen network\.lan"
    ):
        client_address(farm("10.0.0.0/29", *(f"10.0.0.{host}" for host in range(2, 7))))
