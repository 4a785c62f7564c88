"""The words a farm file's values are written in: durations, sizes, addresses, names, paths.

Each reader takes the text from the file and returns its value, or raises ``ValueRefused``
with a sentence that holds the value and the way out. Most values end up in the files of
HAProxy, nginx, PHP or systemd, so the alphabets are those that need no quoting there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

from stillup.model.farm import Balance, Role
from stillup.model.problems import joined, nearest, shown

_Value = TypeVar("_Value")

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|min)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_SIZE = re.compile(r"(\d{1,9}) ?(KB|MB|GB)")
_BYTES = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}
_NUMBER = re.compile(r"\d+(\.\d+)?")
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_COOKIE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,64}")
_CHECK = re.compile(r"/[A-Za-z0-9._~/-]{0,200}(\?[A-Za-z0-9._~/=&-]{1,200})?")
_INSIDE = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_DATABASE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_DATABASE_USER = re.compile(r"[A-Za-z0-9_]{1,32}")
_LOGIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

_MOST_PATH_CHARACTERS = 4000
_SYSTEM_DATABASES = frozenset({"mysql", "sys", "information_schema", "performance_schema"})
_SYSTEM_ACCOUNTS = frozenset({"root", "mysql", "public", "mariadb"})


class ValueRefused(ValueError):
    """A value that cannot stand; ``text`` says why and what would, ``code`` names the rule."""

    def __init__(self, code: str, text: str) -> None:
        """Keep the rule's code beside its sentence."""
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class DurationBetween:
    """Reads a duration such as ``500ms``, ``1.5s`` or ``2min`` as seconds, within bounds."""

    least: str
    most: str

    def __call__(self, text: str) -> float:
        """Return the seconds that ``text`` says.

        Raises:
            ValueRefused: ``bad-duration`` or ``out-of-range``.
        """
        if (found := _DURATION.fullmatch(text)) is None:
            told = f'{shown(text)} is not a duration; write a number with ms, s or min, as "500ms"'
            raise ValueRefused("bad-duration", told)
        seconds = _seconds(found)
        least, most = (_seconds(_DURATION.fullmatch(end)) for end in (self.least, self.most))
        if not least <= seconds <= most:
            told = f"{shown(text)} is out of range; it may be {self.least} to {self.most}"
            raise ValueRefused("out-of-range", told)
        return seconds


@dataclass(frozen=True, slots=True)
class SizeBetween:
    """Reads a size such as ``128MB`` as bytes, within bounds; a KB is 1024 bytes."""

    least: str
    most: str

    def __call__(self, text: str) -> int:
        """Return the bytes that ``text`` says.

        Raises:
            ValueRefused: ``bad-size`` or ``out-of-range``.
        """
        if (found := _SIZE.fullmatch(text)) is None:
            told = (
                f'{shown(text)} is not a size; write a whole number with KB, MB or GB, as "128MB"'
            )
            raise ValueRefused("bad-size", told)
        size = _bytes(found)
        least, most = (_bytes(_SIZE.fullmatch(end)) for end in (self.least, self.most))
        if not least <= size <= most:
            told = f"{shown(text)} is out of range; it may be {self.least} to {self.most}"
            raise ValueRefused("out-of-range", told)
        return size


def _seconds(found: re.Match[str] | None) -> float:
    assert found is not None
    # Whole milliseconds, so that 0.15 s and 150 ms are the same float.
    return round(float(found[1]) * _SECONDS[found[2]] * 1000) / 1000


def _bytes(found: re.Match[str] | None) -> int:
    assert found is not None
    return int(found[1]) * _BYTES[found[2]]


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
        told = f"{shown(text)} is an IPv6 network; this version runs on IPv4 only"
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


def label(text: str) -> str:
    """Return a farm's or server's name: what can be a host name, a file name, a HAProxy name.

    Raises:
        ValueRefused: ``bad-name``.
    """
    if text == "localhost":
        told = '"localhost" is every server\'s name for itself; choose another'
        raise ValueRefused("bad-name", told)
    if _LABEL.fullmatch(text) is None:
        told = (
            f"{shown(text)} cannot be a host name; write 1 to 32 small letters, digits and "
            "hyphens, the first a letter, the last no hyphen"
        )
        raise ValueRefused("bad-name", told)
    return text


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


def role(text: str) -> Role:
    """Return the role of that name.

    Raises:
        ValueRefused: ``role-not-yet``, ``unknown-role``.
    """
    if text == "storage":
        told = (
            'this version has no role "storage" yet; each web server has its own copy of the site'
        )
        raise ValueRefused("role-not-yet", told)
    if text not in list(Role):
        told = f"{shown(text)} is not a role{_meant(text, list(Role))}"
        raise ValueRefused("unknown-role", told)
    return Role(text)


def balance(text: str) -> Balance:
    """Return the way to balance of that name.

    Raises:
        ValueRefused: ``unknown-balance``.
    """
    if text not in list(Balance):
        told = f"{shown(text)} is not a way to balance{_meant(text, list(Balance))}"
        raise ValueRefused("unknown-balance", told)
    return Balance(text)


def _meant(word: str, known: list[Role] | list[Balance]) -> str:
    meant = nearest(word, known)
    if meant:
        return f"; did you mean {shown(meant)}?"
    return f"; write {joined([shown(str(choice)) for choice in known], 'or')}"


def cookie(text: str) -> str:
    """Return a cookie's name as PHP (session.name) and HAProxy both take it.

    Raises:
        ValueRefused: ``bad-cookie``.
    """
    if _COOKIE.fullmatch(text) is None:
        told = (
            f"{shown(text)} cannot name PHP's session cookie; write 1 to 64 letters, digits, _ "
            'and -, not digits alone, as "PHPSESSID"'
        )
        raise ValueRefused("bad-cookie", told)
    return text


def check_path(text: str) -> str:
    """Return the path and query of a health page.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if _CHECK.fullmatch(text) is None or "/../" in f"{text}/":
        told = (
            f"{shown(text)} is not the path of a page; begin with / and write letters, digits "
            'and ._~/-, with or without a query, as "/health"'
        )
        raise ValueRefused("bad-path", told)
    return text


def inside_path(text: str) -> str:
    """Return a path that stays inside the folder it starts from.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if _INSIDE.fullmatch(text) is None or text.startswith("/") or ".." in text.split("/"):
        told = (
            f"{shown(text)} is not a folder inside the site; write letters, digits and ._/-, "
            'not from / and without .., as "public"'
        )
        raise ValueRefused("bad-path", told)
    return text


def local_path(text: str) -> str:
    """Return a path on the machine that stillup runs on.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if not text.strip():
        raise ValueRefused("bad-path", "is empty; write the path of a file or folder")
    if not text.isprintable() or len(text) > _MOST_PATH_CHARACTERS:
        told = f"{shown(text)} is not a path; it is too long or has characters that do not print"
        raise ValueRefused("bad-path", told)
    return text


def database_name(text: str) -> str:
    """Return a database's name.

    Raises:
        ValueRefused: ``bad-database-name``.
    """
    return _database_word(text, "a database", _DATABASE_NAME, _SYSTEM_DATABASES)


def database_user(text: str) -> str:
    """Return a database account's name.

    Raises:
        ValueRefused: ``bad-database-name``.
    """
    return _database_word(text, "an account", _DATABASE_USER, _SYSTEM_ACCOUNTS)


def _database_word(text: str, what: str, form: re.Pattern[str], taken: frozenset[str]) -> str:
    if form.fullmatch(text) is None:
        most = 64 if form is _DATABASE_NAME else 32
        told = f"{shown(text)} cannot name {what}; write 1 to {most} letters, digits and _"
        raise ValueRefused("bad-database-name", told)
    if text.lower() in taken:
        told = f"{shown(text)} is MariaDB's own; choose another name"
        raise ValueRefused("bad-database-name", told)
    return text


def login(text: str) -> str:
    """Return a Linux account's name.

    Raises:
        ValueRefused: ``bad-user``.
    """
    if _LOGIN.fullmatch(text) is None:
        told = f'{shown(text)} is not an account\'s name, as "root" or "deploy"'
        raise ValueRefused("bad-user", told)
    return text


def sound(parse: Callable[[str], _Value], value: object) -> _Value | None:
    """Return what ``parse`` reads in ``value``, or None when it cannot stand."""
    if not isinstance(value, str):
        return None
    try:
        return parse(value)
    except ValueRefused:
        return None
