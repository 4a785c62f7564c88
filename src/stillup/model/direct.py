"""The rules of the balancers' second network, ``[network] direct``: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from stillup.model import addresses
from stillup.model.problems import joined
from stillup.model.refused import sound


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken rule: where, what, and the problem's code."""

    path: tuple[str, ...]
    text: str
    code: str


def broken(
    network: object, lan: object, given: dict[str, object], balancers: list[str]
) -> Iterator[Broken]:
    """Yield each rule that the second network breaks; passes over what is not sound by itself.

    Args:
        network: What the farm file gives as ``network.direct``; None for no second network.
        lan: What it gives as ``network.lan``.
        given: What each server gives as ``direct``, of those that give it.
        balancers: The names of the servers with that role.
    """
    for name in given:
        if name not in balancers:
            told = "only balancers use the second network; take the address away"
            yield Broken(("servers", name, "direct"), told, "direct-not-balancer")
    if network is None:
        for name in given:
            told = "there is no second network; give it as network.direct"
            yield Broken(("servers", name, "direct"), told, "direct-without-network")
        return
    direct = sound(addresses.network, network)
    if direct is None:
        return
    yield from _apart(direct, sound(addresses.network, lan))
    missing = [name for name in balancers if name not in given]
    if missing:
        told = (
            f"{joined(missing)} {'has' if len(missing) == 1 else 'have'} no address in it; each "
            f'balancer needs one, as in direct = "{direct[2]}"'
        )
        yield Broken(("network", "direct"), told, "direct-missing")
    yield from _within(direct, given)


def _apart(direct: IPv4Network, lan: IPv4Network | None) -> Iterator[Broken]:
    if lan is not None and direct.overlaps(lan):
        told = f"{direct} overlaps the LAN {lan}; it must be a network of its own"
        yield Broken(("network", "direct"), told, "direct-overlaps-lan")


def _within(direct: IPv4Network, given: dict[str, object]) -> Iterator[Broken]:
    owners: dict[IPv4Address, str] = {}
    for name, text in given.items():
        address, path = sound(addresses.address, text), ("servers", name, "direct")
        if address is None:
            continue
        if address not in direct or address in (direct.network_address, direct.broadcast_address):
            told = f"{address} is no server's address in {direct}; take {direct[1]} to {direct[-2]}"
            yield Broken(path, told, "direct-outside")
        elif (owner := owners.setdefault(address, name)) != name:
            told = f"{address} is the address of {owner} too; each balancer needs its own"
            yield Broken(path, told, "address-twice")
