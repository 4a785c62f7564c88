"""Farms for the lab's unit tests."""

from stillup.model.farm import Farm
from stillup.model.read import read_farm


def farm(lan: str = "10.0.0.0/24", *addresses: str) -> Farm:
    """Return a farm with servers one, two... at these addresses, the first its database."""
    servers = "".join(
        f's{number} = {{ address = "{address}", roles = ["balancer", "web"{database}] }}\n'
        for number, (address, database) in enumerate(
            zip(addresses, [', "database"', *[""] * len(addresses)], strict=False), 1
        )
    )
    network = lan.rsplit(".", 1)[0]
    read = read_farm(
        f"""
[farm]
name = "shop"
[network]
lan = "{lan}"
[vip]
addresses = ["{network}.1"]
[site]
hosts = ["shop.example"]
source = "site/"
[servers]
{servers}""".encode(),
        "farm.toml",
    )
    assert isinstance(read, Farm), read
    return read
