"""The nftables rules that make the kernel hold a server to its lease: pure text.

Whatever concerns the virtual IP is dropped unless the address is an element of the set
``lease``, whose elements time out. Whoever renews the element keeps the address; nobody
needs to do anything for it to stop. Four tables of rules, one per way out or in:

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

TABLE = "stillup_vip"
LEASE = "lease"
TICKET = "ticket"

_SET = "{ type ipv4_addr; flags timeout; }"


def _chain(family: str, name: str, hook: str, *rules: str) -> list[str]:
    return [
        f"add chain {family} {TABLE} {name} {{ {hook} policy accept; }}",
        f"flush chain {family} {TABLE} {name}",
        *(f"add rule {family} {TABLE} {name} {rule} counter drop" for rule in rules),
    ]


def _table(family: str, *sets: str) -> list[str]:
    return [
        f"add table {family} {TABLE}",
        *(f"add set {family} {TABLE} {name} {_SET}" for name in sets),
    ]


def rules(address: str) -> str:
    """Return the commands for the ``inet`` and ``arp`` tables, one transaction.

    Args:
        address: The virtual IP, IPv4.
    """
    return "\n".join(
        [
            *_table("inet", LEASE, TICKET),
            *_chain(
                "inet",
                "incoming",
                "type filter hook prerouting priority raw;",
                f"ip daddr {address} ip daddr != @{LEASE}",
            ),
            *_chain(
                "inet",
                "outgoing",
                "type filter hook output priority raw;",
                f"ip saddr {address} ip saddr != @{LEASE}",
            ),
            *_table("arp", LEASE),
            *_chain(
                "arp",
                "asked",
                "type filter hook input priority filter;",
                f"arp daddr ip {address} arp saddr ip != {address} arp daddr ip != @{LEASE}",
            ),
            *_chain(
                "arp",
                "claimed",
                "type filter hook output priority filter;",
                f"arp saddr ip {address} arp saddr ip != @{LEASE}",
            ),
        ]
    )


def interface_rules(address: str, interface: str) -> str:
    """Return the commands for the ``netdev`` table, one transaction; the interface must exist.

    Args:
        address: The virtual IP, IPv4.
        interface: The LAN interface's name.
    """
    return "\n".join(
        [
            *_table("netdev", LEASE),
            *_chain(
                "netdev",
                "claimed",
                f'type filter hook egress device "{interface}" priority 0;',
                f"arp saddr ip {address} arp saddr ip != @{LEASE}",
            ),
        ]
    )


def without(*families: str) -> str:
    """Return the commands that remove our tables of these families, whether or not there."""
    return "\n".join(
        f"add table {family} {TABLE}\ndelete table {family} {TABLE}" for family in families
    )
