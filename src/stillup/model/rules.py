"""The rules of a farm file that concern more than one key, each a function of the document.

They look at the raw values and pass over what is not sound by itself, which pydantic has
reported already; so one wrong address does not hide a doubled one elsewhere, and nothing is
reported twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from stillup.model import addresses, direct, limits, schema, shared, values, words
from stillup.model.document import Document
from stillup.model.farm import Role
from stillup.model.problems import Path, Problem, joined, nearest, shown, shown_path
from stillup.model.refused import sound


def broken_rules(document: Document) -> Iterator[Problem]:
    """Yield a problem for each rule between keys that the document breaks."""
    view = _View(document)
    for rule in (
        _addresses_in_lan,
        _addresses_apart,
        _vip_networks,
        _roles_filled,
        _nothing_twice,
        _preferred_is_balancer,
        _witness_of_two,
        _tls_whole,
        _promise_can_be_kept,
        _second_network,
        _shared_storage,
        _limits,
    ):
        yield from rule(view)


@dataclass(frozen=True, slots=True)
class _View:
    """A document's values where they are sound."""

    document: Document

    def problem(self, path: Path, text: str, code: str) -> Problem:
        document = self.document
        return Problem(document.name, document.lines.line(path), shown_path(path), text, code)

    def at(self, *path: str) -> object:
        value: object = self.document.values
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def items(self, *path: str) -> list[tuple[Path, object]]:
        """Return a list's elements with their paths; none when it is no list."""
        value = self.at(*path)
        return [
            ((*path, i), item) for i, item in enumerate(value if isinstance(value, list) else [])
        ]

    def servers(self) -> list[str]:
        """Return the names of the servers, in the file's order."""
        servers = self.at("servers")
        return list(servers) if isinstance(servers, dict) else []

    def having(self, role: Role) -> list[str]:
        return [
            name
            for name in self.servers()
            if any(item == role for _, item in self.items("servers", name, "roles"))
        ]

    def roles_sound(self) -> bool:
        """Tell whether every server has roles and all of them are known."""
        roles = [self.items("servers", name, "roles") for name in self.servers()]
        return bool(roles) and all(
            given and all(sound(values.role, item) for _, item in given) for given in roles
        )

    def lan(self) -> IPv4Network | None:
        return sound(addresses.network, self.at("network", "lan"))

    def lan6(self) -> IPv6Network | None:
        return sound(addresses.network6, self.at("network", "lan6"))

    def vips(self) -> list[tuple[Path, IPv4Address | IPv6Address]]:
        given = self.items("vip", "addresses")
        read = [(path, sound(addresses.vip, item)) for path, item in given]
        return [(path, address) for path, address in read if address is not None]

    def server_addresses(self) -> list[tuple[Path, IPv4Address]]:
        names = self.servers()
        paths: list[Path] = [("servers", name, "address") for name in names]
        given = [self.at("servers", name, "address") for name in names]
        return _addresses(list(zip(paths, given, strict=True)))


def _addresses(given: list[tuple[Path, object]]) -> list[tuple[Path, IPv4Address]]:
    read = [(path, sound(addresses.address, item)) for path, item in given]
    return [(path, address) for path, address in read if address is not None]


def _addresses_in_lan(view: _View) -> Iterator[Problem]:
    if (lan := view.lan()) is None:
        return
    fourth = [(path, vip) for path, vip in view.vips() if isinstance(vip, IPv4Address)]
    for kind, given in (("vip", fourth), ("server", view.server_addresses())):
        for path, address in given:
            if address not in lan:
                told = f"{address} is outside the LAN {lan}; take one of {lan[1]} to {lan[-2]}"
                yield view.problem(path, told, f"{kind}-outside-lan")
            elif address in (lan.network_address, lan.broadcast_address):
                what = "network" if address == lan.network_address else "broadcast"
                told = f"{address} is the LAN's {what} address; take one of {lan[1]} to {lan[-2]}"
                yield view.problem(path, told, f"{kind}-address-reserved")


def _addresses_apart(view: _View) -> Iterator[Problem]:
    seen: dict[IPv4Address | IPv6Address, str] = {}
    for path, address in view.server_addresses():
        owner = seen.setdefault(address, str(path[1]))
        if owner != path[1]:
            told = f"{address} is the address of {owner} too; each server needs its own"
            yield view.problem(path, told, "address-twice")
    listed: set[IPv4Address | IPv6Address] = set()
    for path, vip in view.vips():
        if vip in seen:
            told = f"{vip} is the address of {seen[vip]}; the virtual IP must be free"
            yield view.problem(path, told, "vip-is-server")
        if vip in listed:
            yield view.problem(path, f"{vip} is listed twice", "listed-twice")
        listed.add(vip)


def _vip_networks(view: _View) -> Iterator[Problem]:
    vips, lan6 = view.vips(), view.lan6()
    if vips and not any(isinstance(vip, IPv4Address) for _, vip in vips):
        told = "has no IPv4 address; the farm needs one, as its servers speak IPv4"
        yield view.problem(("vip", "addresses"), told, "no-ipv4-vip")
    for path, vip in vips:
        if not isinstance(vip, IPv6Address):
            continue
        if view.at("network", "lan6") is None:
            told = f"{vip} needs the LAN's IPv6 network; write lan6 in [network], as fd00:10::/64"
            yield view.problem(path, told, "no-lan6")
        elif lan6 is not None and vip not in lan6:
            told = f"{vip} is outside the LAN's IPv6 network {lan6}; take one of {lan6[1]} and up"
            yield view.problem(path, told, "vip-outside-lan")
        elif lan6 is not None and vip == lan6.network_address:
            told = f"{vip} is every router's address (RFC 4291); take one of {lan6[1]} and up"
            yield view.problem(path, told, "vip-address-reserved")


def _roles_filled(view: _View) -> Iterator[Problem]:
    if view.roles_sound():
        for role, why in _NEEDED.items():
            if not view.having(role):
                told = f'no server has the role "{role}"; {why}'
                yield view.problem(("servers",), told, f"no-{role}")


_NEEDED = {
    Role.BALANCER: "give it to two servers, so that one may die",
    Role.WEB: "give it to two servers or more, so that one may die",
    Role.DATABASE: "give it to one server, or to two, so that one may die",
}


def _nothing_twice(view: _View) -> Iterator[Problem]:
    lists = [("site", "hosts"), *(("servers", name, "roles") for name in view.servers())]
    for path in lists:
        seen: set[str] = set()
        for item_path, item in view.items(*path):
            if isinstance(item, str) and item in seen:
                yield view.problem(item_path, f"{shown(item)} is listed twice", "listed-twice")
            elif isinstance(item, str):
                seen.add(item)


def _preferred_is_balancer(view: _View) -> Iterator[Problem]:
    given = view.at("vip", "preferred")
    table = given if isinstance(given, dict) else {}
    for text, name in table.items():
        yield from _preferred_address(view, text)
        yield from _preferred_name(view, name)
    if isinstance(given, str):
        yield from _preferred_name(view, given)


def _preferred_address(view: _View, text: str) -> Iterator[Problem]:
    vips = [vip for _, vip in view.vips()]
    if vips and sound(addresses.vip, text) not in vips:
        told = f"{shown(text)} is none of vip.addresses; these are {joined([str(vip) for vip in vips])}"
        yield view.problem(("vip", "preferred"), told, "not-a-vip")


def _preferred_name(view: _View, preferred: object) -> Iterator[Problem]:
    balancers = view.having(Role.BALANCER)
    if not isinstance(preferred, str) or not balancers or preferred in balancers:
        return
    known = preferred in view.servers()
    meant = None if known else nearest(preferred, balancers)
    hint = f"did you mean {meant}?" if meant else f"the balancers are {joined(balancers)}"
    what = "no balancer" if known else "no server of this farm"
    yield view.problem(
        ("vip", "preferred"), f"{shown(preferred)} is {what}; {hint}", "not-a-balancer"
    )


def _witness_of_two(view: _View) -> Iterator[Problem]:
    """Yield what is wrong with the witness: whom it is for, and that it is nobody's address."""
    path: Path = ("vip", "witness")
    witness = sound(addresses.address, view.at("vip", "witness"))
    if witness is None:
        return
    balancers, servers = view.having(Role.BALANCER), view.servers()
    if view.roles_sound() and not (len(servers) == 2 and len(balancers) == 2):
        told = (
            f"is for a farm of two servers that are both balancers; the {len(servers)} servers of "
            "this one decide by their votes, so leave it out"
        )
        yield view.problem(path, told, "witness-not-needed")
    lan = view.lan()
    if lan is not None and witness not in lan.hosts():
        told = f"{witness} is no host's address in the LAN {lan}; take one that both can ping there"
        yield view.problem(path, told, "witness-outside-lan")
    for other, address in (*view.vips(), *view.server_addresses()):
        if address == witness:
            told = f"{witness} is {shown_path(other)}; the witness must be somebody else's address"
            yield view.problem(path, told, "witness-of-the-farm")


def _tls_whole(view: _View) -> Iterator[Problem]:
    given = [key for key in ("certificate", "key") if view.at("tls", key) is not None]
    if len(given) == 1:
        other = "key" if given == ["certificate"] else "certificate"
        told = f"is given without tls.{other}; give both files, or neither for a self-signed one"
        yield view.problem(("tls", given[0]), told, "tls-half")
    if view.at("tls", "enabled") is False and view.at("tls", "redirect") is True:
        told = "redirects to HTTPS, which tls.enabled = false turns off; change one of them"
        yield view.problem(("tls", "redirect"), told, "redirect-without-tls")


def _promise_can_be_kept(view: _View) -> Iterator[Problem]:
    lease = view.at("vip", "lease") if isinstance(view.at("vip"), dict) else None
    lease = schema.VipSection.model_fields["lease"].default if lease is None else lease
    outage = view.at("promises", "outage")
    lease_s, outage_s = sound(words.LEASE, lease), sound(words.OUTAGE, outage)
    if lease_s is not None and outage_s is not None and outage_s < lease_s:
        told = (
            f"{shown(outage)} is shorter than the lease of {shown(lease)}, which a dead balancer's "
            "address may take to move; promise more, or shorten vip.lease"
        )
        yield view.problem(("promises", "outage"), told, "promise-below-lease")


def _second_network(view: _View) -> Iterator[Problem]:
    given = {
        name: text
        for name in view.servers()
        if (text := view.at("servers", name, "direct")) is not None
    }
    networks = view.at("network", "direct"), view.at("network", "lan")
    for rule in direct.broken(*networks, given, view.having(Role.BALANCER)):
        yield view.problem(rule.path, rule.text, rule.code)


def _shared_storage(view: _View) -> Iterator[Problem]:
    storages = view.having(Role.STORAGE)
    for rule in (
        *shared.too_many(view.having(Role.DATABASE), storages),
        *shared.broken(
            view.items("site", "shared"),
            view.at("site", "document_root"),
            has_storage=bool(storages) if view.roles_sound() else None,
        ),
    ):
        yield view.problem(rule.path, rule.text, rule.code)


def _limits(view: _View) -> Iterator[Problem]:
    webs, databases = len(view.having(Role.WEB)), len(view.having(Role.DATABASE))
    taken = limits.taken_ports(databases, len(view.having(Role.STORAGE)))
    wished = view.at("web", "php_workers"), view.at("ssh", "port")
    for one in limits.beyond(len(view.servers()), webs, *wished, taken):
        yield view.problem(one.path, one.text, one.code)
