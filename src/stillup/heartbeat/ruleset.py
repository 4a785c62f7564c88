"""The nftables rules that make the kernel hold a server to its lease: pure text.

Whatever concerns the virtual IP is dropped unless the address is an element of the set
``lease``, whose elements time out. Whoever renews the element keeps the address; nobody
needs to do anything for it to stop. Each virtual IP has tables of its own (``table``), so that
one is added, removed and renewed without touching another. One chain per way out or in:

* ``inet``, prerouting at priority raw: packets *to* the address, from the LAN and through
  ``lo`` alike, before connection tracking and before any DNAT sees them;
* ``inet``, output at priority raw: packets *from* the address, so that open connections,
  resets and retransmissions of a server that has lost the lease never reach the wire;
* ``arp``, input: requests for the address. What its holder announces (sender and target are
  both the address) is let in, for this server's own neighbour table;
* ``arp``, output: every ARP packet that claims the address as its sender's;
* ``netdev``, egress of the LAN interface: the same claims when they are sent through a
  packet socket, as our own announcements are, which the other families never see.

An IPv6 address has no ``arp`` table. The kernel answers a neighbour solicitation, and asks for
its own neighbours, *from* the address, so those packets are dropped like all from it; a
neighbour advertisement for the address from another source is nobody's to send, and is dropped
lease or not. (``icmpv6 taddr`` would say it in words, but Debian 12's nftables does not know it.)

The set ``ticket`` is for ``kernel_lease.py``, which explains it. What is let in and out without a
lease during a hand-over (the set ``open``) is in ``handing_rules.py``.

Every command is an ``add`` that may be repeated, and chains are emptied before they are
filled in the same transaction, so the rules are renewed without losing a running lease.
"""

import ipaddress

from stillup.heartbeat.handing_rules import OPEN, belonging

PREFIX = "stillup_vip"
"""What the names of all our tables begin with."""

LEASE = "lease"
TICKET = "ticket"


def table(address: str) -> str:
    """Return the name of the tables for ``address``; nftables allows no colon in it."""
    return f"{PREFIX}_{address.replace(':', '_')}"


def rules(address: str) -> str:
    """Return the commands for the ``inet`` and ``arp`` tables, one transaction.

    Args:
        address: The virtual IP.
    """
    return "\n".join(_inet(address) if is_ipv6(address) else [*_inet(address), *_arp(address)])


def interface_rules(address: str, interface: str) -> str:
    """Return the commands for the ``netdev`` table, one transaction; the interface must exist.

    Args:
        address: The virtual IP.
        interface: The LAN interface's name.
    """
    netdev = _Table("netdev", address)
    hook = f'type filter hook egress device "{interface}" priority 0;'
    netdev.add_sets(LEASE)
    if is_ipv6(address):
        # Of an open connection that lives on at a giver, packets do go out.
        said = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"
        netdev.add_chain("claimed", hook, f"{said} ip6 saddr {address} ip6 saddr != @{LEASE}")
        netdev.add_rule("claimed", _false_advertisement(address))
    else:
        netdev.add_chain("claimed", hook, f"arp saddr ip {address} arp saddr ip != @{LEASE}")
    return "\n".join(netdev.commands)


def is_ipv6(address: str) -> bool:
    """Return whether an address is IPv6; only those are written with colons."""
    return ":" in address


def without(name: str, *families: str) -> str:
    """Return the commands that remove the tables ``name`` of these families, there or not."""
    return "\n".join(
        f"add table {family} {name}\ndelete table {family} {name}" for family in families
    )


class _Table:
    """The commands that make one table."""

    def __init__(self, family: str, address: str) -> None:
        self._place = f"{family} {table(address)}"
        kind = "ipv6_addr" if is_ipv6(address) else "ipv4_addr"
        self._set = f"{{ type {kind}; flags timeout; }}"
        self.commands = [f"add table {self._place}"]

    def add_sets(self, *names: str) -> None:
        self.commands += [f"add set {self._place} {name} {self._set}" for name in names]

    def add_chain(self, name: str, hook: str, dropped: str) -> None:
        """Make a chain and its first rule, which says what is dropped."""
        self.commands += [
            f"add chain {self._place} {name} {{ {hook} policy accept; }}",
            f"flush chain {self._place} {name}",
        ]
        self.add_rule(name, dropped)

    def add_rule(self, name: str, dropped: str) -> None:
        self.commands.append(f"add rule {self._place} {name} {dropped} counter drop")


def _inet(address: str) -> list[str]:
    inet = _Table("inet", address)
    inet.add_sets(LEASE, TICKET, OPEN)
    family = "ip6" if is_ipv6(address) else "ip"
    inet.add_chain(
        "incoming",
        "type filter hook prerouting priority raw;",
        f"{family} daddr {address} {family} daddr != @{LEASE} {family} daddr != @{OPEN}",
    )
    inet.add_chain(
        "outgoing",
        "type filter hook output priority raw;",
        f"{family} saddr {address} {family} saddr != @{LEASE} {family} saddr != @{OPEN}",
    )
    if is_ipv6(address):
        inet.add_rule("outgoing", _false_advertisement(address))
    return inet.commands + belonging(address, table(address))


def _arp(address: str) -> list[str]:
    arp = _Table("arp", address)
    arp.add_sets(LEASE)
    arp.add_chain(
        "asked",
        "type filter hook input priority filter;",
        f"arp daddr ip {address} arp saddr ip != {address} arp daddr ip != @{LEASE}",
    )
    arp.add_chain(
        "claimed",
        "type filter hook output priority filter;",
        f"arp saddr ip {address} arp saddr ip != @{LEASE}",
    )
    return arp.commands


def _false_advertisement(address: str) -> str:
    """Return the match for an advertisement of ``address`` that does not come from it.

    The target address stands 64 bits into the message (RFC 4861 section 4.4).
    """
    target = ipaddress.IPv6Address(address).packed.hex()
    advertisement = "icmpv6 type nd-neighbor-advert"
    return f"{advertisement} @th,64,128 0x{target} ip6 saddr != {address}"
