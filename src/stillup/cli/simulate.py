"""``stillup simulate``: the heartbeat against faults, in virtual time, seed by seed."""

import json
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from stillup.cli.arguments import Subparsers
from stillup.cli.simulate_work import Campaign, campaign, mutants_caught, processors
from stillup.errors import EXIT_DONE, EXIT_PROMISE, EXIT_WORLD, InputRefused
from stillup.heartbeat.simulator.campaign import OTHERS, Explained, Trials, explain
from stillup.heartbeat.simulator.luck import seeded
from stillup.heartbeat.simulator.mutants import HARMLESS, MUTANTS
from stillup.heartbeat.simulator.scenario import RULE, Played, perform
from stillup.heartbeat.simulator.vote_mutants import VOTE_MUTANTS
from stillup.model.problems import joined, nearest, shown

EXIT_STOPPED = 130
SEEDS, MUTANT_SEEDS = 1000, 10_000
MOST_SERVERS = 9
SCENARIO_LUCK = 1
"""The chance that scenarios without a seed of their own are played with, here and in the tests."""

_MORE = """\
Each seed is a farm of its own: servers, clocks up to 2 % apart, datagrams lost, doubled and
late, cuts, daemons killed and stopped, machines losing power, HAProxy dying, planned moves. At no
instant may two servers answer for the address; and once the faults end, one must again.

A violation is told with its seed, and written as a scenario: the fewest commands that still
show it, and what came of each. The same seed always does the same.

examples:
  stillup simulate --seeds 100000             all processors, Ctrl-C says how far it came
  stillup simulate --from 4711 --seeds 1      that one again
  stillup simulate --scenario violation-4711.txt
  stillup simulate --mutants                  is a broken core found?
  stillup simulate --mutant "counts a vote twice"   what finding one looks like

exit codes: 0 nothing was broken; 1 a scenario did not come out as its file says, or a mutant was
not found; 2 wrong arguments or scenario; 3 a violation"""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "simulate",
        help="the heartbeat against faults, in virtual time",
        description="Runs farms of simulated servers with the real heartbeat core through faults "
        "drawn\nby chance, and checks that two never answer for the address and one soon does.",
        epilog=_MORE,
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"how many [{SEEDS}]")
    parser.add_argument(
        "--from", type=int, default=0, metavar="SEED", dest="first", help="the first seed [0]"
    )
    parser.add_argument(
        "--what",
        default="farm",
        choices=("farm", *OTHERS),
        help="faults at a farm; a change of who votes, with faults or calm; two servers with a "
        "witness; servers declared dead [farm]",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes [one a processor]")
    parser.add_argument("--servers", default="2-6", metavar="N[-M]", help="of a farm [2-6]")
    parser.add_argument(
        "--replays", action="store_true", help="somebody on the wire sends old datagrams again"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where a violation goes [violation-SEED.txt]"
    )
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="play this one instead")
    parser.add_argument("--mutant", metavar="NAME", help="with this fault made in the core")
    parser.add_argument(
        "--mutants",
        action="store_true",
        help="the seed that finds each fault made on purpose, of 10000 or --seeds",
    )


def run(arguments: Namespace) -> int:
    """Simulate; return the exit code."""
    jobs = arguments.jobs if arguments.jobs is not None else processors()
    count = arguments.seeds
    if count is None:
        count = MUTANT_SEEDS if arguments.mutants else SEEDS
    for name, value in (("--seeds", count), ("--jobs", jobs)):
        if value < 1:
            raise InputRefused(f"{name}: must be at least 1, not {value}")
    if arguments.mutants:
        return _mutants(count, jobs, arguments)
    mutant = _mutant(arguments.mutant)
    trials = Trials(_sizes(arguments.servers), arguments.replays, mutant, arguments.what)
    if arguments.scenario is not None:
        return _scenario(arguments.scenario, trials, as_json=arguments.json)
    seeds = range(arguments.first, arguments.first + count)
    done = campaign(seeds, trials, jobs, _progress(len(seeds), quiet=arguments.json))
    found = _found(done, trials, arguments.out)
    tell = _as_json if arguments.json else _as_text
    print(tell(seeds, done, jobs, found))
    if done.violation is not None:
        return EXIT_PROMISE
    return EXIT_STOPPED if done.stopped else EXIT_DONE


# -- arguments ---------------------------------------------------------------------------------


def _sizes(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    if least.isdigit() and (not most or most.isdigit()):
        sizes = int(least), int(most or least)
        if 2 <= sizes[0] <= sizes[1] <= MOST_SERVERS:
            return sizes
    raise InputRefused(
        f"--servers: {shown(text)} is not like 5 or 2-6, from 2 to {MOST_SERVERS} servers"
    )


def _mutant(name: str | None) -> str | None:
    known = {**MUTANTS, **VOTE_MUTANTS, **HARMLESS}
    if name is None or name in known:
        return name
    meant = nearest(name, known)
    hint = f'did you mean "{meant}"?' if meant else f"there are: {joined(list(known))}"
    raise InputRefused(f"--mutant: there is no {shown(name)}; {hint}")


# -- seeds -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A violation's scenario, and where it was written."""

    file: Path
    explained: Explained


def _found(done: Campaign, trials: Trials, out: Path | None) -> _Found | None:
    if done.violation is None:
        return None
    explained = explain(done.violation, trials)
    file = out or Path(f"violation-{done.violation.seed}.txt")
    try:
        file.write_text(explained.text, encoding="utf-8")
    except OSError as error:
        raise InputRefused(
            f"{file}: the scenario of seed {done.violation.seed} cannot be written: "
            f"{error.strerror}; say where with --out"
        ) from error
    return _Found(file, explained)


class _progress:  # noqa: N801 - a function that remembers when it spoke last
    """Says on a terminal how far it is, once a second."""

    def __init__(self, seeds: int, *, quiet: bool) -> None:
        self._seeds = seeds
        self._quiet = quiet or not sys.stderr.isatty()
        self._next_s = 0.0

    def __call__(self, done: Campaign) -> None:
        if self._quiet or monotonic() < self._next_s:
            return
        self._next_s = monotonic() + 1.0
        rate = done.total.trials / max(done.took_s, 0.001)
        line = f"{done.total.trials:,} of {self._seeds:,} seeds, {rate:.0f} a second"
        print(f"\r{line:60}\r", end="", file=sys.stderr, flush=True)


def _as_text(seeds: range, done: Campaign, jobs: int, found: _Found | None) -> str:
    total = done.total
    lines = []
    if found is not None and done.violation is not None:
        lines += [
            f"seed {done.violation.seed}: {done.violation.words}",
            f"  {found.file} shows it again in {found.explained.commands} of its "
            f"{found.explained.of} commands:"
            if found.explained.commands
            else f"  {found.file} has what happened:",
            "",
            *(f"  {line}" for line in found.explained.text.splitlines()),
            "",
        ]
    elif done.stopped:
        lines.append(f"stopped: {total.trials:,} of {len(seeds):,} seeds, no violation in them")
    else:
        lines.append(f"seeds {seeds.start} to {seeds.stop - 1}: no violation")
    rate = total.trials / max(done.took_s, 0.001)
    if not total.servers:
        took = f"{total.trials:,} trials in {_duration(done.took_s)}; {rate:.0f} seeds a second"
        return "\n".join([*lines, f"  {took} in {jobs} process{'es' if jobs > 1 else ''}"])
    sizes = joined([f"{count:,} of {size}" for size, count in sorted(total.servers.items())])
    lines += [
        f"  farms: {total.trials:,} ({sizes} servers)",
        f"  time: {_duration(total.virtual_s)} of the farms' in {_duration(done.took_s)}; "
        f"{rate:.0f} seeds a second in {jobs} process{'es' if jobs > 1 else ''}",
        f"  the address moved {total.moves:,} times; {total.events:,} events were handled",
        f"  faults: {total.faults.total():,}",
    ]
    lines += [f"  {count:>12,} {name.replace('_', ' ')}" for name, count in _often(done)]
    if total.slowest_s is not None:
        slowest_ms = 1000 * max(0.0, total.slowest_s)
        lines.append(
            f"  after the faults one answered again in all {total.shown:,} farms where one could, "
            f"at most a lease and {slowest_ms:.0f} ms later"
        )
    return "\n".join(lines)


def _as_json(seeds: range, done: Campaign, jobs: int, found: _Found | None) -> str:
    total, violation = done.total, None
    if found is not None and done.violation is not None:
        violation = {
            "seed": done.violation.seed,
            "kind": done.violation.kind,
            "text": done.violation.words,
            "file": str(found.file),
            "scenario": found.explained.text,
        }
    told = {
        "seeds": {"from": seeds.start, "to": seeds.stop - 1, "tried": total.trials},
        "stopped": done.stopped,
        "violation": violation,
        "servers": {str(size): count for size, count in sorted(total.servers.items())},
        "virtual_s": round(total.virtual_s, 3),
        "took_s": round(done.took_s, 3),
        "jobs": jobs,
        "moves": total.moves,
        "events": total.events,
        "faults": dict(_often(done)),
        "answered_again": {
            "farms": total.shown,
            "most_s_above_the_lease": total.slowest_s,
        },
    }
    return json.dumps(told, indent=2)


def _often(done: Campaign) -> list[tuple[str, int]]:
    return done.total.faults.most_common()


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


# -- one scenario ------------------------------------------------------------------------------


def _scenario(file: Path, trials: Trials, *, as_json: bool) -> int:
    try:
        written = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputRefused(f"{file}: the scenario cannot be read: {reason}") from error
    try:
        played = perform(written, seeded(SCENARIO_LUCK), trials.build)
    except ValueError as error:
        raise InputRefused(f"{file}: {error}") from error
    as_written = RULE not in written or _without_comments(written) == _without_comments(played.text)
    if as_json:
        told = {"violation": played.violation, "as_written": as_written, "text": played.text}
        print(json.dumps(told, indent=2))
    else:
        _show(file, played, as_written=as_written)
    if played.violation is not None:
        return EXIT_PROMISE
    return EXIT_DONE if as_written else EXIT_WORLD


def _show(file: Path, played: Played, *, as_written: bool) -> None:
    print(played.text, end="")
    if played.violation is None and not as_written:
        print(f"stillup: {file}: what came of it is not what the file says", file=sys.stderr)


def _without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# -- mutants -----------------------------------------------------------------------------------


def _mutants(most: int, jobs: int, arguments: Namespace) -> int:
    told: dict[str, int | None] = {}
    for name, seed in mutants_caught([*MUTANTS, *VOTE_MUTANTS], most, jobs):
        told[name] = seed
        if not arguments.json:
            found = f"found by seed {seed}" if seed is not None else "NOT FOUND"
            print(f"  {name + ':':40} {found}", flush=True)
    missed = [name for name, seed in told.items() if seed is None]
    if arguments.json:
        print(json.dumps({"seeds": most, "found_by_seed": told}, indent=2))
    else:
        print(f"{len(told) - len(missed)} of {len(told)} faults made on purpose were found")
    return EXIT_WORLD if missed else EXIT_DONE
