"""Questions who has an address, and who speaks as its owner, as bytes (pure).

Source: RFC 826; RFC 5227 section 3 (announcements); RFC 4861 sections 4.3 and 4.4.
"""

import struct

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMPV6 = 58
SOLICITATION, ADVERTISEMENT = 135, 136
_MULTICAST = 0xFF


def question(address: bytes, asker: bytes, hardware: bytes) -> bytes:
    """Return an ARP request for ``address``, or a neighbour solicitation of an IPv6 address.

    Args:
        address: What is asked for, 4 or 16 bytes.
        asker: The address of who asks, of the same length; the answer goes to ``hardware``.
        hardware: Its Ethernet address.
    """
    if len(address) == 16:
        return solicitation(address, asker, hardware)
    head = b"\xff" * 6 + hardware + ARP.to_bytes(2, "big")
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1)
    return head + body + hardware + asker + b"\0" * 6 + address


def solicitation(address: bytes, asker: bytes, hardware: bytes) -> bytes:
    """Return a neighbour solicitation, to the group that the address's last bytes make."""
    group = bytes.fromhex("ff0200000000000000000001ff") + address[-3:]
    head = b"\x33\x33" + group[-4:] + hardware + IPV6.to_bytes(2, "big")
    message = bytes((SOLICITATION, 0, 0, 0, 0, 0, 0, 0)) + address + b"\1\1" + hardware
    summed = asker + group + struct.pack("!II", len(message), ICMPV6) + message
    total: int = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    checksum = ~(total % 0xFFFF) & 0xFFFF
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    ip = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + asker + group
    return head + ip + message


def sighting(frame: bytes, address: bytes) -> tuple[str, str] | None:
    """Return kind and Ethernet source of a frame whose sender claims to be ``address``.

    The kind is ``announcement``, ``reply``, ``request`` or ``packet``; None for all others.
    """
    if len(frame) < 34:
        return None
    hardware, ethertype = frame[6:12].hex(":"), int.from_bytes(frame[12:14], "big")
    if ethertype == ARP and frame[28:32] == address:
        operation, target = frame[20:22], frame[38:42]
        if target == address:
            return "announcement", hardware
        return ("reply" if operation == b"\0\2" else "request"), hardware
    if ethertype == IPV4 and frame[26:30] == address:
        return "packet", hardware
    kind = _sixth(frame, address) if ethertype == IPV6 else None
    return (kind, hardware) if kind else None


def _sixth(frame: bytes, address: bytes) -> str | None:
    """Return what an IPv6 frame says as the owner of ``address``; None if nothing."""
    neighbours = frame[20] == ICMPV6 and len(frame) >= 78
    if neighbours and frame[54] == ADVERTISEMENT and frame[62:78] == address:
        return "announcement" if frame[38] == _MULTICAST else "reply"
    if frame[22:38] != address:
        return None
    return "request" if neighbours and frame[54] == SOLICITATION else "packet"
