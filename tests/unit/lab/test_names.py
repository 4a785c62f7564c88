"""What a lab's things are called."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from tests.unit.lab.farms import farm

from stillup.errors import LabFailed
from stillup.lab.names import client_address, console_address, lab_id, mac, port, sixth


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


def test_consoles_are_entered_from_the_next_free_address() -> None:
    assert console_address(farm("10.0.0.0/24", "10.0.0.2")) == IPv4Address("10.0.0.253")
    assert console_address(farm("10.0.0.0/24", "10.0.0.254")) == IPv4Address("10.0.0.252")
    with pytest.raises(LabFailed, match="no free address for the lab's consoles"):
        console_address(farm("10.0.0.0/29", *(f"10.0.0.{host}" for host in range(2, 6))))


def test_a_host_has_the_ipv6_address_of_its_number_unless_it_is_a_virtual_ip() -> None:
    plain = farm("10.0.0.0/24", "10.0.0.2")
    vips = (IPv4Address("10.0.0.1"), IPv6Address("fd00:10::2"))
    with_six = replace(
        plain, lan6=IPv6Network("fd00:10::/64"), vip=replace(plain.vip, addresses=vips)
    )
    tiny = replace(with_six, lan6=IPv6Network("fd00:10::/124"))

    assert sixth(plain, IPv4Address("10.0.0.2")) is None
    assert str(sixth(with_six, IPv4Address("10.0.0.3"))) == "fd00:10::3/64"
    assert str(sixth(with_six, IPv4Address("10.0.0.2"))) == "fd00:10::8000:0:0:2/64"
    with pytest.raises(LabFailed, match=r"10\.0\.0\.254: widen network\.lan6"):
        sixth(tiny, IPv4Address("10.0.0.254"))


def test_a_full_lan_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        LabFailed, match=r"no free address for the lab's client: widen network\.lan"
    ):
        client_address(farm("10.0.0.0/29", *(f"10.0.0.{host}" for host in range(2, 7))))
