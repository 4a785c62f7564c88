"""Settings straight from ``/etc/ha.d``: its three files, and what this server knows: pure.

What the files leave out comes from the server: which interface bears the addresses, the
addresses of the others (from ``/etc/hosts``), the witness (the default gateway).
"""

from dataclasses import dataclass

from stillup.alone import authkeys, ha_cf, haresources
from stillup.alone.fate import Fate, Kind, Verdict, honoured, refused, translated
from stillup.alone.ha_cf import HaCf
from stillup.alone.haresources import HaResources
from stillup.alone.server import Bearing, Server
from stillup.heartbeat.settings_reader import Json

FARM = "ha.d"
LEASE_MS = 500


@dataclass(frozen=True, slots=True)
class Files:
    """The texts of the files, the mode of ``authkeys``, and the names for the fates."""

    ha_cf: str
    authkeys: str
    authkeys_mode: int
    haresources: str
    names: tuple[str, str, str] = ("ha.cf", "authkeys", "haresources")


@dataclass(frozen=True, slots=True)
class HaD:
    """What the folder comes to.

    Args:
        values: The settings, as they stand in the JSON.
        auth: The keys.
        logs: Files that the log is written to as well.
        fates: What becomes of each line, in order.
    """

    values: dict[str, Json]
    auth: authkeys.AuthKeys
    logs: tuple[str, ...]
    fates: tuple[Fate, ...]

    @property
    def refusals(self) -> tuple[Fate, ...]:
        """What keeps the daemon from starting."""
        return tuple(fate for fate in self.fates if fate.kind is Kind.REFUSED)


def read(files: Files, server: Server) -> HaD:
    """Return what the files come to on this server, and what becomes of each line."""
    cf = ha_cf.read(files.ha_cf, files.names[0])
    auth = authkeys.read(files.authkeys, files.names[1], files.authkeys_mode)
    resources = haresources.read(files.haresources, files.names[2], cf.nodes, server.scripts)
    place = _Place(cf, resources, server, files.names)
    values = place.values()
    # What was found out about a server says more than that its line was read.
    known = {fate.line for fate in place.fates if fate.what.startswith("node ")}
    read_only = [fate for fate in cf.fates if fate.line not in known]
    fates = sorted(
        (*read_only, *auth.fates, *resources.fates, *place.fates),
        key=lambda fate: (files.names.index(fate.file), fate.line or 1_000_000),
    )
    return HaD(values, auth, tuple(cf.logs), tuple(fates))


class _Place:
    """Fits what is asked for to this server.

    Attributes:
        fates: What could not be found, and what was.
    """

    def __init__(
        self, cf: HaCf, resources: HaResources, server: Server, names: tuple[str, str, str]
    ) -> None:
        self.fates: list[Fate] = []
        self._cf = cf
        self._resources = resources
        self._server = server
        self._names = names

    def values(self) -> dict[str, Json]:
        """Return the settings, of use only if nothing is refused."""
        own = self._own()
        voters = self._voters(own)
        values: dict[str, Json] = {
            "farm": FARM,
            "name": self._server.name,
            "key_file": self._names[1],
            "lease_ms": round(self._cf.lease_s * 1000) if self._cf.lease_s else LEASE_MS,
            "candidates": list(self._cf.nodes),
            "voters": dict(voters),
            "vips": [dict(vip) for vip in self._vips(own)],
            "address": own.address,
            "interface": own.interface,
            "failback": self._cf.failback,
        }
        if self._cf.port is not None:
            values["port"] = self._cf.port
        witness = self._witness(own, set(voters.values()))
        if witness is not None:
            values["witness"] = witness
        return values | self._direct(own) | self._hooks()

    # -- this server and the others --------------------------------------------------------

    def _own(self) -> Bearing:
        """Return this server's own address on the interface that bears the virtual ones."""
        name = self._server.name
        if self._cf.nodes and name not in self._cf.nodes:
            self._refuse(
                0,
                "node",
                f"this server is called {name} (uname -n), and no node line names it; "
                f"write node {name}, or name the server otherwise",
            )
        virtual = {wanted.address for wanted in self._resources.wanted}
        bearings = [
            one
            for one in self._server.bearings
            if one.address not in virtual and ":" not in one.address
        ]
        chosen = self._interface(bearings)
        candidates = [one for one in bearings if one.interface == chosen]
        named = self._server.hosts.get(name, ())
        for one in candidates:
            if one.address in named:
                return one
        if candidates:
            return candidates[0]
        if self._resources.wanted:
            self._refuse_resource(
                self._resources.wanted[0].line,
                self._resources.wanted[0].address,
                f"interface {chosen} has no IPv4 address of this server's own; give it one"
                if chosen
                else "no interface of this server reaches it; name one, as "
                f"IPaddr::{self._resources.wanted[0].address}/24/eth0",
            )
        return Bearing(chosen or "", "", 24)

    def _interface(self, bearings: list[Bearing]) -> str | None:
        """Return the interface that bears the addresses; all must be on the same one."""
        chosen: str | None = None
        for wanted in self._resources.wanted:
            here = wanted.interface or next(
                (
                    one.interface
                    for one in bearings
                    if (":" in wanted.address) == (":" in one.address)
                    and one.reaches(wanted.address)
                ),
                None,
            )
            chosen = chosen or here
            if here is not None and here != chosen:
                self._refuse_resource(
                    wanted.line,
                    wanted.address,
                    f"is on {here} and others are on {chosen}; all addresses stand on one interface, "
                    "which carries the votes too",
                )
        return chosen

    def _voters(self, own: Bearing) -> dict[str, str]:
        voters: dict[str, str] = {}
        others = [node for node in self._cf.nodes if node != self._server.name]
        for node, line in self._cf.nodes.items():
            address: str | None = own.address
            if node != self._server.name:
                address = self._address_of(node, own, alone=len(others) == 1)
            if address:
                voters[node] = address
                self.fates.append(
                    Fate(
                        self._names[0],
                        line,
                        f"node {node}",
                        *_pair(honoured(f"has a vote at {address}, and may hold the addresses")),
                    )
                )
            elif own.address:
                self._refuse(
                    line,
                    f"node {node}",
                    f"its address on {own.interface} is not known here; write it into /etc/hosts of "
                    f"every server, as: 10.0.0.3 {node}",
                )
        return voters

    def _address_of(self, node: str, own: Bearing, *, alone: bool) -> str | None:
        if not own.address:
            return None
        for address in self._server.hosts.get(node, ()):
            if ":" not in address and own.reaches(address):
                return address
        told = [
            address
            for device, address in self._cf.peers
            if device == own.interface and self._server.bearing(address) is None
        ]
        return told[0] if alone and len(set(told)) == 1 else None

    def _witness(self, own: Bearing, servers: set[str]) -> str | None:
        """Return whom two servers ping; None where a majority decides."""
        if len(self._cf.nodes) != 2:
            return None
        address, line, from_where = None, 0, ""
        if self._cf.pings:
            address, line = self._cf.pings[0]
        elif own.interface in self._server.gateways:
            address = self._server.gateways[own.interface]
            from_where = "the default gateway; write ping and an address to have another"
        if address is None:
            self._refuse(
                0,
                "ping",
                "two servers cannot tell a dead one from a cut: name an address that both reach "
                "and that is always there, a router for instance, as: ping 10.0.0.254",
            )
            return None
        if address in servers:
            self._refuse(line, f"ping {address}", "is one of the two servers; name a third")
        elif from_where:
            verdict = translated(f"not in the file; the witness is {address}, {from_where}")
            self.fates.append(Fate(self._names[0], 0, "ping", *_pair(verdict)))
        return address

    def _direct(self, own: Bearing) -> dict[str, Json]:
        """Return the second network between two servers, if ``ucast`` names one."""
        others = [node for node in self._cf.nodes if node != self._server.name]
        for device, address in self._cf.peers:
            here = next((one for one in self._server.bearings if one.interface == device), None)
            if here is None or device == own.interface or len(others) != 1:
                continue
            if here.address != address and here.reaches(address):
                return {
                    "direct": {
                        "address": here.address,
                        "peers": {others[0]: address},
                    }
                }
        return {}

    # -- what is held ----------------------------------------------------------------------

    def _vips(self, own: Bearing) -> list[dict[str, Json]]:
        return [
            {
                "address": wanted.address,
                "prefix": wanted.prefix or (64 if ":" in wanted.address else own.prefix),
                "preferred": wanted.node if wanted.node in self._cf.nodes else None,
            }
            for wanted in self._resources.wanted
        ]

    def _hooks(self) -> dict[str, Json]:
        scripts = self._resources.scripts
        if not scripts:
            return {}
        return {
            "on_acquire": [[*script.words, "start"] for script in scripts],
            "on_release": [[*script.words, "stop"] for script in reversed(scripts)],
        }

    def _refuse(self, line: int, what: str, text: str) -> None:
        self.fates.append(Fate(self._names[0], line, what, *_pair(refused(text))))

    def _refuse_resource(self, line: int, what: str, text: str) -> None:
        self.fates.append(Fate(self._names[2], line, what, *_pair(refused(text))))


def _pair(verdict: Verdict) -> tuple[Kind, str]:
    return verdict.kind, verdict.text
