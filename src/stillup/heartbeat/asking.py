"""With which address the kernel asks its IPv4 neighbours for theirs.

By itself Linux asks with the source of the packet that waits for the answer. During a hand-over that
is the virtual IP, on a server that has no lease for it: the rules rightly drop the question, as it
would be a claim. A taker's kernel repeats it after a second, when it has the lease, and until then does not
answer users behind that neighbour; a giver's open connections stall. With ``arp_announce`` at 2 it asks with
the server's own address (Linux, ip-sysctl). What was set stays when the daemon ends.
"""

from pathlib import Path

CONF = Path("/proc/sys/net/ipv4/conf")
OWN_ADDRESS = 2


def ask_as_itself(interface: str) -> bool:
    """Have the kernel ask with the server's own address on an interface.

    Returns:
        Whether that was changed: not where it is so already, or the interface is missing.

    Raises:
        OSError: If it cannot be read, or this process may not set it.
    """
    # The greater of the two is in force.
    if int(_place("all").read_text(encoding="ascii")) >= OWN_ADDRESS:
        return False
    place = _place(interface)
    try:
        if int(place.read_text(encoding="ascii")) >= OWN_ADDRESS:
            return False
    except FileNotFoundError:
        return False
    place.write_text(f"{OWN_ADDRESS}\n", encoding="ascii")
    return True


def _place(interface: str) -> Path:
    return CONF / interface / "arp_announce"
