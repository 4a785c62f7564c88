"""``stillup check``: every problem of the farm file, and every single point of failure.

Of the farm file, of the secrets beside it (when they are there), and of the files and folders
on this machine that it names.
"""

import json
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm_text
from stillup.cli.files import FileRefused
from stillup.cli.local_files import Finding, findings
from stillup.cli.secrets_file import given_secrets, secrets_path
from stillup.errors import EXIT_DONE, EXIT_INPUT
from stillup.model.farm import Farm, Role
from stillup.model.problems import Problem, joined, listing, shown_path
from stillup.model.read import FarmText
from stillup.model.redundancy import redundancy
from stillup.model.secrets import GivenSecrets
from stillup.model.weakness import Weakness, single_points_of_failure, votes

_JSON = """\
as JSON:
  {"sound": true when there are no problems,
   "farm": its name, or null when the farm file itself has problems,
   "problems": [{"file", "line", "path", "text", "code"}],
   "weaknesses": [{"code", "servers": [names], "text", "remedy"}],
   "votes": {"voters", "majority", "balancers", "text", "survives": how many servers may be lost,
     {"anyhow", "with_a_balancer", "with_every_balancer", "with_the_witness" or null}}, or null,
   "redundancy": of the database and of the storage if there is any,
     [{"role", "servers": [names], "tie_breaker": name or null, "survives": so many, "text"}],
   "notes": [{"path", "text", "code"}]}
The codes stay as they are from version to version; the texts may not.
exit codes: 0 sound, weak or not; 2 problems, or no farm file"""

_COUNTED = {
    Role.BALANCER: ("balancer", "balancers"),
    Role.WEB: ("web server", "web servers"),
    Role.DATABASE: ("database server", "database servers"),
    Role.STORAGE: ("storage server", "storage servers"),
}


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    subparsers.add_parser(
        "check",
        help="every problem and every single point of failure",
        description="Tells every problem of the farm file, of the secrets beside it and of the\n"
        "files it names, and what stops when which server dies. Nothing is written.",
        epilog=_JSON,
    )


def run(arguments: Namespace) -> int:
    """Check the farm file and what it names; nothing is written."""
    checked = _checked(arguments.file)
    print(_as_json(checked) if arguments.json else _as_text(checked))
    return EXIT_INPUT if checked.problems else EXIT_DONE


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a farm file amounts to; ``farm`` is None when the file itself has problems."""

    farm: Farm | None
    problems: tuple[Problem, ...]
    notes: tuple[Finding, ...]


def _checked(path: Path) -> _Checked:
    read = load_farm_text(path)
    secrets = _secrets_problems(path)
    if not isinstance(read, FarmText):
        return _Checked(None, (*read, *secrets), ())
    found = [*findings(read.farm, path, datetime.now(UTC)), *_allowed(read.farm)]
    problems = _problems(read, path, (one for one in found if one.is_problem))
    notes = (
        *_unused(read.farm),
        *(one for one in found if not one.is_problem),
    )
    return _Checked(read.farm, (*problems, *secrets), notes)


def _unused(farm: Farm) -> Iterable[Finding]:
    if farm.having(Role.STORAGE) and not farm.site.shared:
        told = "not given, so nothing lives on the storage; name the folders that PHP writes into"
        yield Finding(("site", "shared"), told, "storage-unused", is_problem=False)


def _allowed(farm: Farm) -> Iterable[Finding]:
    if farm.drills.allow:
        from stillup.drill.choosing import unknown_allowed

        for told in unknown_allowed(farm):
            yield Finding(("drills", "allow"), told, "unknown-fault", is_problem=True)


def _problems(read: FarmText, path: Path, found: Iterable[Finding]) -> list[Problem]:
    def problem(one: Finding) -> Problem:
        line = read.lines.line(one.path)
        return Problem(str(path), line, shown_path(one.path), one.text, one.code)

    return sorted(map(problem, found), key=lambda problem: problem.line)


def _secrets_problems(path: Path) -> tuple[Problem, ...]:
    try:
        given = given_secrets(path)
    except FileRefused as error:
        return (Problem(str(secrets_path(path)), 1, "", error.text, error.code),)
    return () if isinstance(given, GivenSecrets) else given


def _as_json(checked: _Checked) -> str:
    farm = checked.farm
    told = {
        "sound": not checked.problems,
        "farm": farm.name if farm else None,
        "problems": [asdict(problem) for problem in checked.problems],
        "weaknesses": [asdict(one) for one in single_points_of_failure(farm)] if farm else [],
        "votes": asdict(votes(farm)) if farm else None,
        "redundancy": [asdict(one) for one in redundancy(farm)] if farm else [],
        "notes": [
            {"path": shown_path(note.path), "text": note.text, "code": note.code}
            for note in checked.notes
        ],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _as_text(checked: _Checked) -> str:
    lines = [listing(checked.problems)] if checked.problems else []
    if checked.farm is None:
        return "\n".join(lines)
    if not checked.problems:
        lines.append(_summary(checked.farm))
    weaknesses = single_points_of_failure(checked.farm)
    lines += [f"  single points of failure: {len(weaknesses) or 'none'}"]
    for weakness in weaknesses:
        lines += _told(weakness)
    lines.append(f"  votes: {votes(checked.farm).text}")
    # One server that keeps all there is stands among the single points of failure already.
    several = (one for one in redundancy(checked.farm) if len(one.servers) > 1)
    lines += [f"  {one.role}: {one.text}" for one in several]
    lines += [f"  note: {shown_path(note.path)}: {note.text}" for note in checked.notes]
    return "\n".join(lines)


def _summary(farm: Farm) -> str:
    counts = [(len(farm.having(role)), words) for role, words in _COUNTED.items()]
    counts = [(count, words) for count, words in counts if count]
    told = joined([f"{count} {one if count == 1 else more}" for count, (one, more) in counts])
    return f"{farm.name}: no problems; {told} on {len(farm.servers)} servers"


def _told(weakness: Weakness) -> list[str]:
    return [f"    {weakness.text} [{weakness.code}]", f"      way out: {weakness.remedy}"]
