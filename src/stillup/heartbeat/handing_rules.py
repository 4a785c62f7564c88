"""The nftables rules of a hand-over: which packets belong here, and which are passed on. Pure text.

A giver's open connections live on although it has no lease; the new holder passes on to it what
belongs to them. A packet belongs to the server that has it in its connection tracking. What
belongs to nobody here and opens nothing is passed on to every earlier giver (its sets
``giver_N``), and each drops what it does not know either. What reaches a giver after it has let
go, because a neighbour has not heard of the move yet, is passed on to the taker (``taker_N``).

Passing on is ``dup``, a copy to another next hop, and the original is dropped: no routing rule,
no forwarding, no change to the packet but its DSCP, which says that it was passed on, so that
nobody passes it on again. The giver answers the user directly. A reset is passed on even if it
seems to belong here, and taken here as well.

Three sets in the ``inet`` table of the address say what is let in besides what has a lease:

* ``open``: open TCP connections, and errors about them (ICMP), go on; nothing is opened, but
  by programs on this server itself, which has the address on ``lo`` and so could not reach
  its new holder: its own HAProxy serves them, and not a packet of that is on any wire;
* ``armed``: hardware addresses from which new connections are taken as well: the giver's, of a
  taker that waits for its word. A giver passes nothing on before it has let go.
* ``taken``: with a lease: connections live on elsewhere, so what belongs to nothing here is not
  answered with a reset. (Without that, it is, so that users connect anew at once.)

All elements time out, and the daemon renews them; without it, all of this ends by itself.
``dup`` exists in the families ``ip`` and ``ip6`` only, so what is passed on stands in a table of
its own; what is dropped stands in ``inet`` and holds whether that other table is there or not.
"""

from collections.abc import Sequence

OPEN = "open"
ARMED = "armed"
TAKEN = "taken"

MARK = 59
"""The DSCP of what was passed on, of the pool for local use (RFC 2474 section 6)."""

_OPENS_NOTHING = "tcp flags & (fin|syn|rst|ack) != syn"
_RESETS = "tcp flags & rst == rst"


def giver(place: int) -> str:
    """Return the name of the set that has the address while the peer ``place`` is a giver."""
    return f"giver_{place}"


def taker(place: int) -> str:
    """Return the name of the set that has the address while it passes on to ``place``."""
    return f"taker_{place}"


def belonging(address: str, table: str) -> list[str]:
    """Return the commands that add sets and chains to the ``inet`` table, which has ``open``.

    The chains stand behind those of ``ruleset.py`` and behind connection tracking.

    Args:
        address: The virtual IP.
        table: The table's name.
    """
    family, kind = ("ip6", "ipv6_addr") if ":" in address else ("ip", "ipv4_addr")
    place = f"inet {table}"
    sets = ((TAKEN, kind), (ARMED, "ether_addr"))
    chains = {
        "belongs": (
            f"{family} daddr @lease ct state established,related accept",
            *_of_open_connections(),
            f"{family} daddr @lease {family} daddr != @{TAKEN} accept",
            'iif "lo" accept',
            f"{_OPENS_NOTHING} counter drop",
            "ct state invalid counter drop",
            f"{family} daddr @lease accept",
            f"ether saddr @{ARMED} accept",
            "counter drop",
        ),
        "speaks": (
            f"{family} saddr @lease accept",
            'oif "lo" accept',
            *_of_open_connections(),
            "counter drop",
        ),
    }
    return [
        *(f"add set {place} {name} {{ type {of}; flags timeout; }}" for name, of in sets),
        *(f"add chain {place} {name}" for name in chains),
        *(f"flush chain {place} {name}" for name in chains),
        *(f"add rule {place} {name} {rule}" for name, rules in chains.items() for rule in rules),
        *_hooked(
            place, "to", "prerouting priority mangle", f"{family} daddr {address} goto belongs"
        ),
        *_hooked(place, "from", "output priority mangle", f"{family} saddr {address} goto speaks"),
    ]


def passing(address: str, table: str, gateways: Sequence[str]) -> str:
    """Return the commands of the table that passes packets on, one transaction.

    Args:
        address: The virtual IP.
        table: The table's name.
        gateways: Where the other candidates are reached, each as ``ADDRESS`` or ``ADDRESS device
            "NAME"``, of the virtual IP's own family.
    """
    family, kind = ("ip6", "ipv6_addr") if ":" in address else ("ip", "ipv4_addr")
    place, places = f"{family} {table}", range(len(gateways))
    error = "meta l4proto { icmp, ipv6-icmp } ct state invalid"
    mine = f"{family} daddr {address}"
    copies = [
        f"{what} {mine.replace(address, '@' + giver(at))} {family} dscp set {MARK} "
        f"dup to {gateways[at]}"
        for at in places
        for what in (_OPENS_NOTHING, error)
    ]
    copies += [
        f"{family} daddr @{taker(at)} {family} dscp set {MARK} dup to {gateways[at]}"
        for at in places
    ]
    # Of a connection that has ended, connection tracking takes any reset for its own (Linux's
    # tcp_can_early_drop), also that of a newer one from the same port, which a giver may have.
    resets = [
        f"{_RESETS} ct state established {mine.replace(address, '@' + giver(at))} "
        f"{family} dscp set {MARK} dup to {gateways[at]}"
        for at in places
    ]
    rules = (
        f"{family} daddr != {address} accept",
        'iif "lo" accept',
        f"{family} dscp {MARK} accept",
        *resets,
        *_of_open_connections(),
        *copies,
    )
    names = [name(at) for at in places for name in (giver, taker)]
    return "\n".join(
        [
            f"add table {place}",
            *(f"add set {place} {name} {{ type {kind}; flags timeout; }}" for name in names),
            # After connection tracking, before "belongs" drops what was copied.
            *_hooked(place, "pass", "prerouting priority -155", *rules),
        ]
    )


def _of_open_connections() -> tuple[str, ...]:
    """Return the rules that accept what belongs to an open connection here.

    Not a SYN, whatever is remembered of the same ports: only a holder has connections opened.
    """
    return (
        f"{_OPENS_NOTHING} ct state established accept",
        "meta l4proto { icmp, ipv6-icmp } ct state related accept",
    )


def _hooked(place: str, name: str, hook: str, *rules: str) -> list[str]:
    return [
        f"add chain {place} {name} {{ type filter hook {hook}; policy accept; }}",
        f"flush chain {place} {name}",
        *(f"add rule {place} {name} {rule}" for rule in rules),
    ]
