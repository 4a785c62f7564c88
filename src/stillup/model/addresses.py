"""Addresses, networks and host names as the farm file writes them."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from stillup.model.problems import shown
from stillup.model.refused import ValueRefused

_HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_HOST_LABEL}(?:\.{_HOST_LABEL})*")


def address(text: str) -> IPv4Address:
    """Return the IPv4 address that ``text`` is.

    Raises:
        ValueRefused: ``ipv6-not-yet``, ``bad-address``.
    """
    try:
        found = ip_address(text)
    except ValueError:
        hint = _address_hint(text)
        told = f"{shown(text)} is not an IPv4 address{hint}"
        raise ValueRefused("bad-address", told) from None
    if isinstance(found, IPv6Address):
        told = f"{shown(text)} is an IPv6 address; this version runs on IPv4 only"
        raise ValueRefused("ipv6-not-yet", told)
    return found


def vip(text: str) -> IPv4Address | IPv6Address:
    """Return the address that ``text`` is, for users to reach the farm by.

    Raises:
        ValueRefused: ``bad-address``.
    """
    if ":" not in text:
        return address(text)
    try:
        found = IPv6Address(text)
    except ValueError:
        told = f'{shown(text)} is not an IPv6 address; write one as "fd00:10::1"'
        raise ValueRefused("bad-address", told) from None
    if found.scope_id is not None or not _is_for_servers(found):
        told = f'{shown(text)} is no address of a network; write one as "fd00:10::1"'
        raise ValueRefused("bad-address", told)
    return found


def _address_hint(text: str) -> str:
    without_prefix, slash, _ = text.partition("/")
    if slash and _is_ipv4(without_prefix):
        return f'; leave out the prefix length: "{without_prefix}"'
    without_zeros = ".".join(part.lstrip("0") or "0" for part in text.split("."))
    if without_zeros != text and _is_ipv4(without_zeros):
        return f'; leave out the leading zeros: "{without_zeros}"'
    return '; write four numbers of 0 to 255, as "10.0.0.2"'


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def network(text: str) -> IPv4Network:
    """Return the IPv4 network that ``text`` is, at least a /29 so that a farm fits in.

    Raises:
        ValueRefused: ``ipv6-not-yet``, ``bad-network``, ``host-bits``, ``out-of-range``.
    """
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        told = f'{shown(text)} is not a network; write address and prefix length, as "10.0.0.0/24"'
        raise ValueRefused("bad-network", told) from None
    if isinstance(found, IPv6Network):
        told = (
            f"{shown(text)} is an IPv6 network; the servers speak IPv4 with each other, so write "
            "their IPv4 network here and this one as lan6"
        )
        raise ValueRefused("ipv6-not-yet", told)
    if "/" not in text:
        told = f'{shown(text)} lacks its prefix length; write it after a slash, as "10.0.0.0/24"'
        raise ValueRefused("bad-network", told)
    if not text.startswith(f"{found.network_address}/"):
        told = f'{shown(text)} is an address inside a network; the network is "{found}"'
        raise ValueRefused("host-bits", told)
    if not 8 <= found.prefixlen <= 29:
        told = f"{shown(text)} is out of range; the prefix length may be /8 to /29"
        raise ValueRefused("out-of-range", told)
    if found.is_loopback or found.is_multicast or found.is_link_local or found[0].is_unspecified:
        told = f'{shown(text)} is not a network for servers; private ones are like "10.0.0.0/24"'
        raise ValueRefused("bad-network", told)
    return found


def network6(text: str) -> IPv6Network:
    """Return the IPv6 network that ``text`` is, a /16 to /124.

    Raises:
        ValueRefused: ``bad-network``, ``host-bits``, ``out-of-range``.
    """
    try:
        found = IPv6Network(text, strict=False) if "/" in text else None
    except ValueError:
        found = None
    if found is None or "%" in text:
        told = f'{shown(text)} is not an IPv6 network; write it with its length, as "fd00:10::/64"'
        raise ValueRefused("bad-network", told)
    if IPv6Address(text.partition("/")[0]) != found.network_address:
        told = f'{shown(text)} is an address inside a network; the network is "{found}"'
        raise ValueRefused("host-bits", told)
    if not 16 <= found.prefixlen <= 124:
        told = f"{shown(text)} is out of range; the prefix length may be /16 to /124"
        raise ValueRefused("out-of-range", told)
    if not _is_for_servers(found.network_address + 1):
        told = f'{shown(text)} is not a network for servers; private ones are like "fd00:10::/64"'
        raise ValueRefused("bad-network", told)
    return found


def _is_for_servers(found: IPv6Address) -> bool:
    """Tell whether it is an address that other networks may know."""
    special = found.is_link_local or found.is_multicast or found.is_loopback
    return not special and not found.is_unspecified and found.ipv4_mapped is None


def host(text: str) -> str:
    """Return a host name of the site, in ASCII and small letters.

    Raises:
        ValueRefused: ``bad-host``.
    """
    if _is_ipv4(text):
        told = f"{shown(text)} is an address; write the name that the site's visitors type"
        raise ValueRefused("bad-host", told)
    if _HOST.fullmatch(text) is None:
        raise ValueRefused("bad-host", f"{shown(text)} is not a host name{_host_hint(text)}")
    return text


def _host_hint(text: str) -> str:
    if text.startswith("*"):
        return "; this version takes no wildcards, so list each name"
    bare = re.sub(r"\A[a-z]+://", "", text.lower()).split("/")[0].split(":")[0].rstrip(".")
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode()
        except UnicodeError:
            bare = ""
    if _HOST.fullmatch(bare) and not _is_ipv4(bare):
        return f'; write "{bare}"'
    return '; write letters, digits, hyphens and dots, as "shop.example"'
