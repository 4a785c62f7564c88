"""``stillup heartbeat``: the virtual-IP daemon without a farm, and questions to it.

Standard library only, like the daemon: it runs on servers on which nothing else is installed.
"""

import json
import os
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from stillup.alone.log_files import write_to
from stillup.alone.sources import DEFAULT, Refused, Told, load
from stillup.cli.arguments import Subparsers
from stillup.cli.heartbeat_view import shown_status, summary, told_fates
from stillup.errors import EXIT_DONE, EXIT_INPUT, InputRefused, ServerFailed, StillupError
from stillup.heartbeat import succession
from stillup.heartbeat.__main__ import RELOAD_S, await_vote, serve
from stillup.heartbeat.control import ask
from stillup.heartbeat.settings import CONTROL
from stillup.heartbeat.settings_reader import Json
from stillup.model.problems import nearest, shown

QUESTIONS = ("status", "failover", "yield", "resume", "reload", "metrics", "force")
WORDS = ("run", "check", *QUESTIONS)

_MORE = f"""\
  stillup heartbeat [FILE]          be the daemon, with the settings in FILE [{DEFAULT}]
  stillup heartbeat /etc/ha.d       the same, straight from ha.cf, authkeys and haresources
  stillup heartbeat check [FILE]    what is wrong with them; of /etc/ha.d, what becomes of each line
  stillup heartbeat status          who holds which address, by whose votes, how late the daemon runs
  stillup heartbeat failover        move the addresses held here to another server
  stillup heartbeat yield           let go of them, and do not stand for a while (--seconds)
  stillup heartbeat resume          stand again
  stillup heartbeat reload          have it replaced by its program, settings and key as they are now
  stillup heartbeat metrics         for Prometheus
  stillup heartbeat force --dead lb2   hold without servers that are dead; says what that risks, and
                                    does it with --yes; without --dead it is taken back

FILE is TOML (examples/heartbeat.toml), the JSON that a farm's servers have, or a folder with
heartbeat's three files. docs/heartbeat-alone.md says how to install it.
exit codes: 0 done, 1 the daemon does not run or says no, 2 the settings or the arguments are wrong"""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "heartbeat",
        help="hold a virtual IP without a farm: the daemon alone",
        usage="stillup heartbeat [WORD] [FILE] [options]",
        description="Holds virtual IPs on a few servers, without the rest of stillup. WORD is one of:",
        epilog=_MORE,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="see below; run if left out")
    parser.add_argument("--control", type=Path, help=f"the daemon's socket [{CONTROL}]")
    parser.add_argument("--to", metavar="SERVER", help="failover, yield: to which one [any]")
    parser.add_argument("--address", metavar="VIP", help="of which virtual IP [all]")
    parser.add_argument(
        "--dead",
        action="append",
        metavar="SERVER",
        help="force: which counts as dead; again for more",
    )
    parser.add_argument("--yes", action="store_true", help="force: do it, not only say the risk")
    parser.add_argument("--seconds", type=float, help="yield: for how long [30]")


def run(arguments: Namespace) -> int:
    """Be the daemon, or check its settings, or ask it."""
    word, file = _meant(arguments.words)
    match word:
        case "run":
            return _be(file, arguments.control)
        case "check":
            return _check(file, as_json=arguments.json)
        case "reload":
            return _reload(arguments.control or Path(CONTROL))
        case _:
            return _ask(word, arguments)


def _meant(words: list[str]) -> tuple[str, Path]:
    """Return the word, run if there is none, and the file."""
    word = words[0] if words and words[0] in WORDS else "run"
    rest = words[1:] if words and words[0] in WORDS else words
    if len(rest) > 1 or (rest and word in QUESTIONS):
        raise InputRefused(
            f"{shown(rest[-1])} is one word too many; see `stillup heartbeat --help`"
        )
    file = Path(rest[0]) if rest else DEFAULT
    if rest and "/" not in rest[0] and not file.exists():
        meant = nearest(rest[0], WORDS)
        hint = f"did you mean {meant}?" if meant else f"the words are {', '.join(WORDS)}"
        raise InputRefused(f"there is no file {shown(rest[0])}; {hint}")
    return word, file


def _be(file: Path, control: Path | None) -> int:
    heir = succession.heir(os.environ)
    try:
        told = load(file)
        _begin_log(told)
    except StillupError as error:
        if heir is not None:
            heir.refuse(error)
        raise
    try:
        return serve(told.settings, told.keys, control, heir)
    except OSError as error:
        raise ServerFailed(f"the heartbeat could not start: {error}") from error


def _begin_log(told: Told) -> None:
    """Say what a person should mend, and write the log to files if that is asked for."""
    for fate in told.fates:
        if "misspelling" in fate.text or "short" in fate.text:
            print(f"stillup: {fate}", file=sys.stderr)
    if told.logs:
        try:
            write_to(told.logs)
        except OSError as error:
            raise InputRefused(
                f"{error.filename}: the log cannot be written: {error.strerror}"
            ) from error


def _reload(control: Path) -> int:
    """Have the daemon replaced by its program, settings and key as they are now."""
    answer = ask(control, {"op": "reload"}, (), RELOAD_S)
    print(json.dumps(answer, indent=2))
    former = answer.get("restarts")
    if isinstance(former, int):
        await_vote(control, former)
    return EXIT_DONE


def _check(file: Path, *, as_json: bool) -> int:
    try:
        told = load(file)
    except Refused as refused:
        if as_json:
            print(
                json.dumps(
                    {"sound": False, "lines": [asdict(fate) for fate in refused.fates]}, indent=2
                )
            )
        else:
            print(told_fates(refused.fates))
            print(f"{file}: the daemon does not start with what is refused above")
        return EXIT_INPUT
    if as_json:
        lines = [asdict(fate) for fate in told.fates]
        print(json.dumps({"sound": True, "lines": lines, "name": told.settings.name}, indent=2))
    else:
        print("\n".join(filter(None, (told_fates(told.fates), summary(str(file), told.settings)))))
    return EXIT_DONE


def _ask(word: str, arguments: Namespace) -> int:
    question: dict[str, Json] = {"op": word}
    if word == "yield":
        question["seconds"] = 30.0 if arguments.seconds is None else arguments.seconds
    if word in ("yield", "failover"):
        question["to"] = arguments.to
    if word == "force":
        question["dead"], question["go"] = list(arguments.dead or ()), arguments.yes
    if word not in ("status", "metrics"):
        question["address"] = arguments.address
    answer = ask(arguments.control or Path(CONTROL), question)
    if word == "status" and not arguments.json:
        print(shown_status(answer))
    elif word == "metrics" and isinstance(answer.get("text"), str):
        print(answer["text"], end="")
    else:
        print(json.dumps(answer, indent=2))
    return EXIT_DONE
