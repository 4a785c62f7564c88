"""The page: one table of everything, with how it was measured: pure."""

from collections.abc import Sequence

from bench.failover.contenders import Contender
from bench.failover.faults import FAULTS, Fault
from bench.failover.measure import summary
from bench.failover.schedule import COPIES
from bench.failover.verdicts import Record, Verdict, figures, good, lost, verdicts

__all__ = ["page", "verdicts"]

INTRODUCTION = """\
# The same faults beside the others

What a client on the LAN loses when something fails, and whether two servers ever hold the virtual IP at once: heartbeat 3.0.6 (with the
recipe's configuration), keepalived, ucarp and stillup's heartbeat, each on the same two balancers, fault for fault.

    {command}

{machine}; {packages}; ours with Python {python} (the code's digest: {ours}). Every figure is from that run; the single runs are in
[failover.json](failover.json).

![The table as a picture](failover.svg)

Seconds: **median** (smallest to largest) of the runs. "over 15" is an outage that had not ended when the watching did, that many
seconds after it began; 0 is no gap over 6 ms. *Both* is for how long two servers answered for the address, as heard on the wire.

"""

METHOD = """
## How it was measured
- Every run starts anew, on a field of its own: two balancers, each with namespaces of its own (net, mount, pid, uts, ipc) and a real HAProxy,
  `eth0` on a LAN, `eth1` between the two, a client on the LAN. Ours has three servers more, which vote, as a farm has. lb1 holds
  the address and nothing has happened for {settle} s when the fault comes.
- The client asks the address every 2 ms in real time (ICMP echo, which the kernel that holds the address answers); for "HAProxy
  dies" it opens a connection to port 80 every 2 ms. An outage is the longest time between two answers, less what the client itself was late in
  it (a host that pauses, pauses the client too).
- A program in the bridge asks both balancers directly every 10 ms who has the address (ARP), also while one is cut off.
- {parallel} fields run side by side, {fine} for the two rows that count in milliseconds (planned move, HAProxy dies). A run of
  these in which this machine paused the client itself for more than 8 ms is measured again, and so is one of the others in which nothing should have been
  seen, up to 0.3 s was, and the client was paused meanwhile ({disturbed} were; at most twice each). {failed} runs failed and were made again.
- Planned moves are asked for as each manual has it: `hb_standby`, SIGUSR2 (ucarp), a clean stop (keepalived has no
  such command), `stillup-heartbeat failover`. While it goes on, a new connection is opened every 5 ms, and one connection stays open.
- "The holder dies" is SIGKILL to everything on it and both its cables pulled. "Daemon killed" is watched for 10 s before it is started again.
- In the last rows all contenders run at the same time for 60 s: {copies} fields of each at once at rest, without any client; and one of each
  with eight processes spinning on this machine's processors. A minute of these in which a process before all others woke over 50 ms late,
  because the machine stood still, is measured again.
- The others are Debian's own packages, unpacked rather than installed. heartbeat's `ha.cf` is the recipe's with `loglife` (a
  misspelling of `logfile`, refused) mended and without the watchdog, as there is none here.
- All of it shares one small machine. Below 20 ms one sees the machine, not the daemons.
"""


def page(
    about: Record,
    records: Sequence[Record],
    everybody: Sequence[Contender],
    kept: Sequence[Verdict],
) -> str:
    """Return the page as Markdown."""
    packages = about["packages"]
    assert isinstance(packages, dict)
    told = {**about, "packages": ", ".join(f"{k} {v}" for k, v in packages.items())}
    rows = [*_fault_rows(records, everybody), *_minute_rows(records, everybody)]
    told_by = {(verdict.fault, verdict.part): verdict for verdict in kept}
    return (
        INTRODUCTION.format(**told)
        + _table(rows, everybody, told_by)
        + _list(kept)
        + METHOD.format(
            settle=2,
            parallel=_word(about, "--parallel"),
            fine=max(1, 2 * int(_word(about, "--parallel")) // 5),
            copies=COPIES,
            disturbed=sum(bool(one.get("disturbed")) for one in records),
            failed=sum("error" in one for one in records),
        )
    )


Row = tuple[str, tuple[str, str], list[str]]


def _fault_rows(records: Sequence[Record], everybody: Sequence[Contender]) -> list[Row]:
    rows: list[Row] = []
    for fault in FAULTS:
        for part, words in (("fault", fault.words), ("after", fault.after)):
            if words:
                rows += _part_rows(records, everybody, (fault, part), words)
    return rows


def _part_rows(
    records: Sequence[Record],
    everybody: Sequence[Contender],
    place: tuple[Fault, str],
    words: str,
) -> list[Row]:
    fault, part = place
    key = (fault.key, part)
    cells = [_outages(records, each, fault.key, part) for each in everybody]
    rows: list[Row] = [(words, key, cells)]
    if fault.key == "planned":
        cells = [_moved(records, each) for each in everybody]
        rows.append(("... requests failed; open connections lost", ("", ""), cells))
    both = [figures(records, each.name, fault.key, part, "both_s") for each in everybody]
    if any(max(each, default=0.0) > 0 for each in both):
        rows.append(("... both", ("", ""), [_range(each) for each in both]))
    return rows


def _minute_rows(records: Sequence[Record], everybody: Sequence[Contender]) -> list[Row]:
    def of(fault: str, part: str, what: str, digits: int) -> list[str]:
        return [
            _range(figures(records, each.name, fault, part, what), digits) for each in everybody
        ]

    return [
        (
            "moves in 60 s, 8 processes spinning",
            ("spin", "minute"),
            of("spin", "minute", "moves", 0),
        ),
        ("... both", ("", ""), of("spin", "minute", "both_s", 3)),
        ("CPU s a minute, holder", ("rest", "lb1"), of("rest", "lb1", "cpu_s_a_minute", 3)),
        ("CPU s a minute, the other", ("", ""), of("rest", "lb2", "cpu_s_a_minute", 3)),
        ("memory MB (RSS), holder", ("", ""), of("rest", "lb1", "rss_mb", 1)),
        ("packets a second, holder", ("", ""), of("rest", "lb1", "packets_a_second", 1)),
        ("packets a second, the other", ("", ""), of("rest", "lb2", "packets_a_second", 1)),
    ]


def _outages(records: Sequence[Record], contender: Contender, fault: str, part: str) -> str:
    lasted = figures(records, contender.name, fault, part, "lasted_s")
    ended = figures(records, contender.name, fault, part, "ended")
    if not lasted:
        return "-"
    open_ones = len(ended) - int(sum(ended))
    if open_ones == len(lasted):
        return f"**over {_seconds(min(lasted))}**"
    told = _range(lasted)
    return f"{told}, {open_ones} of {len(lasted)} not ended" if open_ones else told


def _moved(records: Sequence[Record], contender: Contender) -> str:
    runs = good(records, contender.name, "planned")
    if not runs:
        return "-"
    failed = [float(str(one["failed"])) for one in runs]
    return f"{_range(failed, 0)}; {sum(map(lost, runs))} of {len(runs)}"


def _range(found: Sequence[float], digits: int = 3) -> str:
    if not found:
        return "-"
    told = summary(found)
    least, middle, most = (_number(told[key], digits) for key in ("min", "median", "max"))
    return f"**{middle}**" if least == most else f"**{middle}** ({least} to {most})"


def _number(value: float, digits: int) -> str:
    return _seconds(value) if digits == 3 else f"{value:.{digits}f}"


def _seconds(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _table(
    rows: Sequence[Row],
    everybody: Sequence[Contender],
    kept: dict[tuple[str, str], Verdict],
) -> str:
    head = ["", *(each.name for each in everybody), "stillup must", "kept"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for words, key, cells in rows:
        verdict = kept.get(key)
        must = verdict.must if verdict else ""
        word = {True: "yes", False: "**NO**", None: "not measured"}[verdict.kept] if verdict else ""
        lines.append(f"| {' | '.join([words, *cells, must, word])} |")
    setups = "\n".join(f"- **{each.name}**: {each.setup}" for each in everybody)
    return "\n".join(lines) + f"\n\n{setups}\n"


def _list(kept: Sequence[Verdict]) -> str:
    words = {True: "kept", False: "**BROKEN**", None: "not measured"}
    names = {fault.key: fault.words for fault in FAULTS}
    lines = ["\n## The promises\n"]
    for verdict in kept:
        name = names.get(
            verdict.fault,
            {"spin": "8 processes spinning", "rest": "at rest"}.get(verdict.fault, "every row"),
        )
        where = f"{name}, after" if verdict.part == "after" else name
        lines.append(f"- {words[verdict.kept]}: {where}: must {verdict.must}. {verdict.told}.")
    return "\n".join(lines) + "\n"


def _word(about: Record, option: str) -> str:
    words = str(about["command"]).split()
    return words[words.index(option) + 1]
