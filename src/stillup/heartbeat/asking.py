"""With which address the kernel asks its IPv4 neighbours for theirs.

By itself Linux asks with the source of the packet that waits for the answer. During a hand-over that
is the virtual IP, on a server that has no lease for it: the rules rightly drop the question, as it
would be a claim, and the kernel repeats it only after a second, in which nobody there is answered.
With ``arp_announce`` at 2 it asks with the server's own address (Linux, ip-sysctl).
"""

from pathlib import Path

CONF = Path("/proc/sys/net/ipv4/conf")
OWN_ADDRESS = 2


def ask_as_itself(interface: str) -> None:
    """Have the kernel ask with the server's own address on an interface; nothing if it is missing.

    Raises:
        OSError: If this process may not set that.
    """
    for name in ("all", interface):  # the greater of the two is in force
        try:
            if int(_place(name).read_text(encoding="ascii")) >= OWN_ADDRESS:
                return
        except FileNotFoundError:
            return
    _place(interface).write_text(f"{OWN_ADDRESS}\n", encoding="ascii")


def _place(interface: str) -> Path:
    return CONF / interface / "arp_announce"
