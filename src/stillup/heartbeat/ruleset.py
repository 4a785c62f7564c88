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
  packet socket, as our own gratuitous ARP is, which the ``arp`` family never sees.

The set ``ticket`` is for ``kernel_lease.py``, which explains it.

Every command is an ``add`` that may be repeated, and chains are emptied before they are
filled in the same transaction, so the rules are renewed without losing a running lease.
"""

PREFIX = "stillup_vip"
"""What the names of all our tables begin with."""

LEASE = "lease"
TICKET = "ticket"

_SET = "{ type ipv4_addr; flags timeout; }"


def table(address: str) -> str:
    """Return the name of the tables for ``address``; nftables allows no colon in it."""
    return f"{PREFIX}_{address.replace(':', '_')}"


def rules(address: str) -> str:
    """Return the commands for the ``inet`` and ``arp`` tables, one transaction.

    Args:
        address: The virtual IP, IPv4.
    """
    return "\n".join([*_inet(address), *_arp(address)])


def interface_rules(address: str, interface: str) -> str:
    """Return the commands for the ``netdev`` table, one transaction; the interface must exist.

    Args:
        address: The virtual IP, IPv4.
        interface: The LAN interface's name.
    """
    netdev = _Table("netdev", address)
    hook = f'type filter hook egress device "{interface}" priority 0;'
    netdev.add_sets(LEASE)
    netdev.add_chain("claimed", hook, f"arp saddr ip {address} arp saddr ip != @{LEASE}")
    return "\n".join(netdev.commands)


def without(name: str, *families: str) -> str:
    """Return the commands that remove the tables ``name`` of these families, there or not."""
    return "\n".join(
        f"add table {family} {name}\ndelete table {family} {name}" for family in families
    )


class _Table:
    """The commands that make one table."""

    def __init__(self, family: str, address: str) -> None:
        self._place = f"{family} {table(address)}"
        self.commands = [f"add table {self._place}"]

    def add_sets(self, *names: str) -> None:
        self.commands += [f"add set {self._place} {name} {_SET}" for name in names]

    def add_chain(self, name: str, hook: str, *rules: str) -> None:
        """Make a chain whose rules say what is dropped."""
        self.commands += [
            f"add chain {self._place} {name} {{ {hook} policy accept; }}",
            f"flush chain {self._place} {name}",
            *(f"add rule {self._place} {name} {rule} counter drop" for rule in rules),
        ]


def _inet(address: str) -> list[str]:
    inet = _Table("inet", address)
    inet.add_sets(LEASE, TICKET)
    inet.add_chain(
        "incoming",
        "type filter hook prerouting priority raw;",
        f"ip daddr {address} ip daddr != @{LEASE}",
    )
    inet.add_chain(
        "outgoing",
        "type filter hook output priority raw;",
        f"ip saddr {address} ip saddr != @{LEASE}",
    )
    return inet.commands


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
