"""The tidy test: what no linter holds, held here. Each rule names its reason."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
HALF_OF_FILES_BELOW = 150


def tracked(pattern: str) -> list[Path]:
    """Return the files of that pattern that git tracks."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", pattern], capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_source_file_asks_to_be_two() -> None:
    long = {str(path.relative_to(ROOT)): lines(path) for path in tracked("src/*.py")}
    assert {name: count for name, count in long.items() if count > LONGEST_FILE} == {}


def test_half_of_the_source_files_are_short() -> None:
    counts = sorted(lines(path) for path in tracked("src/*.py"))
    assert counts[len(counts) // 2] < HALF_OF_FILES_BELOW


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (
            r"\bexcept Exception\b(?!.*# )",
            "only at the top of a task, or to raise it again: say which",
        ),
        (r"\bsys\.exit\b", "only the command line ends the program; it returns exit codes"),
        (r"\b(?:TODO|FIXME|XXX)\b", "an open end is an issue, not a comment"),
        (r"\bshell=True\b", "programs get argument lists"),
        (r"\bStrictHostKeyChecking[= ]no\b", "host keys are strict"),
        (r"\bknown_hosts=None\b", "host keys are strict"),
    ],
)
def test_no_source_file_says(word: str, reason: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {reason}"
        for path in tracked("src/*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(word, line)
    ]
    assert found == []


def test_no_module_is_a_drawer_for_everything() -> None:
    names = {"utils", "util", "helpers", "common", "manager", "misc"}
    assert [path for path in tracked("src/*.py") if path.stem in names] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked("src/*.py")
        if not path.read_text(encoding="utf-8").startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_a_type_ignore_names_its_error_and_its_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "# type: " + "ignore" in line and not re.search(r"ignore\[[\w, -]+\]\s+#? ?\S+", line)
    ]
    assert bare == []


def test_every_decision_is_listed_by_number_once() -> None:
    numbers = [path.name[:4] for path in tracked("docs/decisions/*.md") if path.name[0].isdigit()]
    assert sorted(numbers) == sorted(set(numbers))


def test_the_readme_is_short() -> None:
    assert lines(ROOT / "README.md") <= 120


def test_links_in_the_documentation_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked("*.md")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
