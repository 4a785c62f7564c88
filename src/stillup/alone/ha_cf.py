"""Reads ``ha.cf`` of Linux-HA heartbeat 3.0.6: pure.

Every directive that heartbeat knows is honoured, translated, said to be not needed, or refused
with what to write instead. The sentences stand beside the directives, as the first lines that
somebody reads who comes from there.

Source: ha.cf(5) of heartbeat 3.0.6, the comments of its example ``ha.cf``, and the list of
directives in its ``config.c``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stillup.alone.fate import Fate, Verdict, honoured, not_needed, refused, translated
from stillup.alone.ha_cf_rest import REST
from stillup.model.problems import nearest, shown

LEAST_S, MOST_S = 0.1, 10.0
MISREAD = frozenset({"logfile", "debugfile", "logfacility", "use_logd", "debug"})
"""Directives that are taken for meant when misspelled: nothing but the log can be wrong then."""

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|msec|us|usec|s|sec)?")
_UNITS_S = {"ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "s": 1.0, "sec": 1.0}
_TRUE = {"true", "on", "yes", "y", "1"}
_FALSE = {"false", "off", "no", "n", "0"}


@dataclass(frozen=True, slots=True)
class Directive:
    """A line of the file: its number, its first word, the others."""

    line: int
    name: str
    words: tuple[str, ...]


@dataclass(slots=True)
class HaCf:
    """What ``ha.cf`` asks for.

    Attributes:
        nodes: The servers, in order, with their lines.
        peers: The addresses that ``ucast`` names, with their interfaces.
        lease_s: The lease; None if the file does not give a deadtime.
        failback: Whether an address goes back to its preferred server.
        port: The UDP port; None for our own.
        pings: Addresses to ping, with their lines.
        logs: Files that the log is written to as well.
        fates: What becomes of each line.
    """

    nodes: dict[str, int] = field(default_factory=dict)
    peers: list[tuple[str, str]] = field(default_factory=list)
    lease_s: float | None = None
    failback: bool = True
    port: int | None = None
    pings: list[tuple[str, int]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)


def read(text: str, file: str) -> HaCf:
    """Return what the file asks for, and what becomes of each of its lines.

    Args:
        text: Its text.
        file: Its name, for the fates.
    """
    asked = HaCf()
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        verdict = _verdict(Directive(number, words[0], tuple(words[1:])), asked)
        asked.fates.append(Fate(file, number, " ".join(words[:4]), verdict.kind, verdict.text))
    asked.fates += _missing(asked, file)
    return asked


def _verdict(directive: Directive, asked: HaCf) -> Verdict:
    if directive.name in KNOWN:
        return KNOWN[directive.name](directive, asked)
    if directive.name in REST:
        return REST[directive.name](directive.words)
    meant = nearest(directive.name, [*KNOWN, *REST])
    if meant in MISREAD:
        verdict = _verdict(Directive(directive.line, meant, directive.words), asked)
        return Verdict(
            verdict.kind,
            f"{shown(directive.name)} is a misspelling of {meant}, with which heartbeat does not "
            f"start; taken as {meant}: {verdict.text}",
        )
    if meant is not None:
        return refused(f"there is no such directive; did you mean {meant}?")
    return refused("there is no such directive; take the line out")


def _missing(asked: HaCf, file: str) -> list[Fate]:
    missing = []
    if not asked.nodes:
        verdict = refused("no server is named; write a line for each, as: node lb1")
        missing.append(Fate(file, 0, "node", verdict.kind, verdict.text))
    if asked.lease_s is None:
        verdict = translated(
            "not in the file, which to heartbeat means 30 s; the lease is 500 ms. Write "
            "deadtime 2, for instance, to have another"
        )
        missing.append(Fate(file, 0, "deadtime", verdict.kind, verdict.text))
    return missing


# -- the directives that say something -----------------------------------------------------------


def _node(directive: Directive, asked: HaCf) -> Verdict:
    if not directive.words:
        return refused("names no server; write its name, which is what uname -n says there")
    for name in directive.words:
        asked.nodes.setdefault(name.lower(), directive.line)
    return honoured("has a vote, and may hold the addresses")


def _deadtime(directive: Directive, asked: HaCf) -> Verdict:
    seconds = _seconds(directive)
    if seconds is None:
        return _no_time("deadtime 5")
    asked.lease_s = min(max(seconds, LEAST_S), MOST_S)
    told = "the lease: when the holder dies another one holds within it"
    if seconds > MOST_S:
        return translated(f"{told}; 10 s, as no lease is longer")
    if seconds < LEAST_S:
        return translated(f"{told}; 100 ms, as no lease is shorter")
    if seconds > 1:
        return translated(f"{told}; {_spelled(seconds)}. 500ms is long enough on most networks")
    return translated(f"{told}; {_spelled(seconds)}")


def _keepalive(directive: Directive, _: HaCf) -> Verdict:
    seconds = _seconds(directive)
    if seconds is None:
        return _no_time("keepalive 1")
    return not_needed("the lease is renewed five times in its length, whatever that is")


def _time_not_needed(text: str) -> Callable[[Directive, HaCf], Verdict]:
    def verdict(directive: Directive, _: HaCf) -> Verdict:
        if _seconds(directive) is None:
            return _no_time(f"{directive.name} 10")
        return not_needed(text)

    return verdict


def _auto_failback(directive: Directive, asked: HaCf) -> Verdict:
    word = directive.words[0].lower() if directive.words else ""
    if word in _TRUE | {"legacy"}:
        asked.failback = True
        return honoured(
            "an address goes back to its first server, by a hand-over that cuts no connection"
        )
    if word in _FALSE:
        asked.failback = False
        return honoured("an address stays where it is until somebody moves it")
    return refused("write auto_failback on, or auto_failback off")


def _nice_failback(directive: Directive, asked: HaCf) -> Verdict:
    word = directive.words[0].lower() if directive.words else ""
    if word in _TRUE | _FALSE:
        asked.failback = word in _FALSE
        return translated(f"obsolete; taken as auto_failback {'on' if asked.failback else 'off'}")
    return refused("obsolete; write auto_failback on, or auto_failback off")


def _udpport(directive: Directive, asked: HaCf) -> Verdict:
    word = directive.words[0] if directive.words else ""
    if not word.isdigit() or not 1 <= int(word) <= 65535:
        return refused("write a port from 1 to 65535, as udpport 694; without the line it is 6940")
    asked.port = int(word)
    return honoured(f"datagrams go to UDP port {word}; let the firewall pass it between the nodes")


def _ucast(directive: Directive, asked: HaCf) -> Verdict:
    if len(directive.words) != 2:
        return refused("write an interface and the other server's address, as ucast eth0 10.0.0.3")
    device, address = directive.words
    asked.peers.append((device, address))
    return translated(
        "tells a server's address, if the interface is the one that bears the virtual addresses; "
        "datagrams go to every server's address there"
    )


def _bcast(directive: Directive, _: HaCf) -> Verdict:
    if not directive.words:
        return refused("names no interface; take the line out")
    return translated(
        "datagrams are addressed to each server, on the network that bears the virtual addresses: "
        "whom that network has lost must not hold them, and a cut of another one changes nothing"
    )


def _ping(directive: Directive, asked: HaCf) -> Verdict:
    addresses = directive.words[1:] if directive.name == "ping_group" else directive.words
    if not addresses:
        return refused(f"names no address; write one, as {directive.name} 10.0.0.254")
    asked.pings += [(address, directive.line) for address in addresses]
    return translated(
        "with two servers the first address is the witness: who reaches it and no longer hears the "
        "other one may hold. With three or more servers a majority decides, and none is pinged"
    )


def _log_file(directive: Directive, asked: HaCf) -> Verdict:
    if not directive.words:
        return refused(f"names no file; write it, as {directive.name} /var/log/ha-log")
    if directive.words[0] not in asked.logs:
        asked.logs.append(directive.words[0])
    what = (
        "the log is written there as well"
        if directive.name == "logfile"
        else ("the log, which has no second part for debugging, is written there as well")
    )
    return honoured(what)


def _seconds(directive: Directive) -> float | None:
    found = _TIME.fullmatch(" ".join(directive.words).lower())
    return float(found[1]) * _UNITS_S[found[2] or "s"] if found else None


def _no_time(example: str) -> Verdict:
    return refused(f"is no time; write seconds, or a number with ms, as {example}")


def _spelled(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


KNOWN: dict[str, Callable[[Directive, HaCf], Verdict]] = {
    "node": _node,
    "deadtime": _deadtime,
    "keepalive": _keepalive,
    "warntime": _time_not_needed(
        "how late the daemon runs is counted and told by stillup heartbeat status"
    ),
    "initdead": _time_not_needed(
        "a server that starts is silent for one lease, which is safe; it waits for nobody"
    ),
    "deadping": _time_not_needed("the witness must answer as often as the lease is renewed"),
    "auto_failback": _auto_failback,
    "nice_failback": _nice_failback,
    "udpport": _udpport,
    "ucast": _ucast,
    "bcast": _bcast,
    "mcast": _bcast,
    "ping": _ping,
    "ping_group": _ping,
    "logfile": _log_file,
    "debugfile": _log_file,
}
