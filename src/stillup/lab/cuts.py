"""Which links of the lab are cut, and the switch's rules for it: pure.

A *carrier* cut is a pulled cable: the machine sees its link go down. A *silent* cut is a
broken switch: the link stays up and frames do not arrive. Silent cuts are ordered pairs,
so that one direction, or the way between two servers, can be cut by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stillup.lab.names import on_direct, port
from stillup.node.message import JsonObject

ANY = "*"


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cut links, by the servers' names; ``client`` is the lab's client."""

    carrier: frozenset[str] = frozenset()
    dropped: frozenset[tuple[str, str]] = frozenset()
    """Pairs (sender, receiver) whose frames are dropped; ``*`` for everybody."""

    def with_carrier(self, name: str) -> "Cuts":
        """Return these cuts and a pulled cable."""
        return Cuts(self.carrier | {name}, self.dropped)

    def with_silence(self, name: str, others: Iterable[str], *, one_way: bool) -> "Cuts":
        """Return these cuts and silence between ``name`` and others (none: everybody).

        Args:
            name: The server to cut.
            others: Whom it is cut from.
            one_way: Drop only what ``name`` sends; it still hears.
        """
        partners = tuple(others) or (ANY,)
        pairs = {(name, other) for other in partners}
        if not one_way:
            pairs |= {(other, name) for other in partners}
        return Cuts(self.carrier, self.dropped | pairs)

    def healed(self, name: str | None) -> "Cuts":
        """Return what stays cut when every link of one server (None: of all) is whole again."""
        if name is None:
            return Cuts()
        whole = {name, on_direct(name)}
        return Cuts(self.carrier - whole, frozenset(p for p in self.dropped if whole.isdisjoint(p)))

    def without(self, healed: "Cuts") -> "Cuts":
        """Return what stays cut when just those cuts are whole again."""
        return Cuts(self.carrier - healed.carrier, self.dropped - healed.dropped)

    def describe(self, name: str) -> str | None:
        """Return in words how a server is cut off, or None if it is not."""
        said = [self._describe(name), self._describe(on_direct(name))]
        if said[1] is not None:
            said[1] = f"second network: {said[1]}"
        return "; ".join(words for words in said if words) or None

    def _describe(self, name: str) -> str | None:
        if name in self.carrier:
            return "cable pulled"
        parts = [f"to {receiver}" for sender, receiver in sorted(self.dropped) if sender == name]
        parts += [f"from {sender}" for sender, receiver in sorted(self.dropped) if receiver == name]
        if not parts:
            return None
        return "frames dropped " + ", ".join(parts).replace(ANY, "all")

    def record(self) -> JsonObject:
        """Return the cuts as JSON."""
        return {
            "carrier": [*sorted(self.carrier)],
            "dropped": [[sender, receiver] for sender, receiver in sorted(self.dropped)],
        }

    def ruleset(self) -> str:
        """Return the switch's nftables rules, which replace the former ones in one transaction."""
        rules = "".join(f"    {_rule(*pair)}\n" for pair in sorted(self.dropped))
        return (
            "table bridge cuts {}\n"
            "delete table bridge cuts\n"
            "table bridge cuts {\n"
            "  chain forward {\n"
            "    type filter hook forward priority filter; policy accept;\n"
            f"{rules}"
            "  }\n"
            "}\n"
        )


def cuts_from(record: JsonObject | None) -> Cuts:
    """Return the cuts that a record holds; None is none."""
    if record is None:
        return Cuts()
    carrier, dropped = record.get("carrier"), record.get("dropped")
    names = frozenset(map(str, carrier)) if isinstance(carrier, list) else frozenset()
    pairs = dropped if isinstance(dropped, list) else []
    return Cuts(names, frozenset((str(p[0]), str(p[1])) for p in pairs if isinstance(p, list)))


def _rule(sender: str, receiver: str) -> str:
    match = []
    if sender != ANY:
        match.append(f'iifname "{port_of(sender)}"')
    if receiver != ANY:
        match.append(f'oifname "{port_of(receiver)}"')
    return " ".join([*match, "drop"])


def port_of(name: str) -> str:
    """Return the switch's port to a server or to the client."""
    return "to-client" if name == "client" else port(name)
