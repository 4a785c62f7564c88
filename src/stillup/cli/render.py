"""``stillup render --out DIR``: each server's files as they would be installed, to read.

No server is asked, so what a server would tell of itself is taken from options. Secrets stand
as words of the same form, so the folder may be shown to anybody; ``--secrets`` writes the real
ones, readable by you alone.
"""

import shutil
from argparse import Namespace
from pathlib import Path

from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm, load_secrets
from stillup.errors import EXIT_DONE, InputRefused
from stillup.model.farm import Secrets
from stillup.node.bundle import IF_THERE, Bundle, Facts

MARK = ".made-by-stillup-render"
PHP = {12: "8.2", 13: "8.4"}
PYTHON = {12: "3.11", 13: "3.13"}
PLACEHOLDERS = Secrets(
    heartbeat_key="00" * 32,
    database_password="the-database-password",  # noqa: S106 - the words say what stands there
    stats_password="the-stats-password",  # noqa: S106
    tls_pem="(the certificate and its private key)\n",
    cluster_key="00" * 32,
    cluster_pem="".join(
        f"-----BEGIN {kind}-----\n({what})\n-----END {kind}-----\n"
        for kind, what in (
            ("CERTIFICATE", "the farm's own authority"),
            ("CERTIFICATE", "the database servers' certificate"),
            ("PRIVATE KEY", "its private key"),
        )
    ),
)


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "render",
        help="each server's files as they would be installed",
        description="Writes each server's files below DIR/SERVER, and what else belongs to it into\n"
        "DIR/SERVER.txt. Placeholders stand for the secrets unless --secrets is given.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--secrets", action="store_true", help="write the real secrets, mode 0600")
    parser.add_argument("--debian", type=int, choices=sorted(PHP), default=13)
    parser.add_argument("--interface", default="eth0", metavar="NAME")


def run(arguments: Namespace) -> int:
    """Render the farm."""
    farm = load_farm(arguments.file)
    secrets = load_secrets(farm, arguments.file) if arguments.secrets else PLACEHOLDERS

    from stillup.parts.bundle import wanted
    from stillup.servers.code import server_code

    debian = arguments.debian
    facts = Facts(debian, PHP[debian], arguments.interface, PYTHON[debian])
    bundles = [wanted(farm, server, secrets, facts, server_code()) for server in farm.servers]
    out: Path = arguments.out
    try:
        _make_ready(out)
        count = sum(_write(out, bundle, private=arguments.secrets) for bundle in bundles)
    except OSError as error:
        raise InputRefused(f"{error.filename or out}: {error.strerror}") from error
    print(f"{count} files of {len(bundles)} servers are in {out}")
    return EXIT_DONE


def _make_ready(out: Path) -> None:
    """Empty the folder if we made it; make it if it is missing.

    Raises:
        InputRefused: If there is something in it that we did not make.
    """
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = list(out.iterdir())
    mark = out / MARK
    if there and not mark.is_file():
        raise InputRefused(f"{out} is not empty, and not made by render; name an empty folder")
    mark.touch()
    for path in there:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()


def _write(out: Path, bundle: Bundle, *, private: bool) -> int:
    root = out / bundle.server
    for folder in bundle.directories:
        _folder(root, folder.path)
    for file in bundle.files:
        place = _folder(root, str(Path(file.path).parent)) / Path(file.path).name
        place.touch(mode=0o600 if private else 0o644)
        place.write_text(file.text, encoding="utf-8")
    for link in bundle.links:
        place = _folder(root, str(Path(link.path).parent)) / Path(link.path).name
        place.symlink_to(link.target)
    (out / f"{bundle.server}.txt").write_text(_rest(bundle), encoding="utf-8")
    return len(bundle.files)


def _folder(root: Path, path: str) -> Path:
    folder = root / path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _setting(name: str, value: str) -> str:
    if_there = " (where the kernel has it)" if name.startswith(IF_THERE) else ""
    return f"{name.removeprefix(IF_THERE)} = {value}{if_there}"


def _rest(bundle: Bundle) -> str:
    """Tell what belongs to a server beside its files."""
    parts: dict[str, list[str]] = {
        "packages": [*bundle.packages],
        "users": [f"{user.name} ({user.home}, {user.shell})" for user in bundle.users],
        "folders": [
            f"{folder.mode:04o} {folder.owner}:{folder.group} {folder.path}"
            for folder in bundle.directories
        ],
        "kernel settings": [_setting(name, value) for name, value in bundle.sysctls],
        "files": [
            f"{file.mode:04o} {file.owner}:{file.group} {file.path}"
            f"{' (secret)' if file.secret else ''}"
            for file in bundle.files
        ],
        "must not exist": [absent.path for absent in bundle.absent],
        "checked before they go live": [
            f"{check.name}: {' '.join(check.argv)}" for check in bundle.checks
        ],
        "commands": [f"{command.name}: {' '.join(command.argv)}" for command in bundle.commands],
        "units": [
            f"{unit.name}: {'enabled' if unit.enabled else 'not enabled'}, "
            f"{'running' if unit.running else 'stopped'}"
            for unit in bundle.units
        ],
        "must be healthy": [
            f"{health.name}, within {health.within_s:g} s: {' '.join(health.argv)}"
            for health in bundle.healths
        ],
    }
    lines = [f"{bundle.server} of the farm {bundle.farm}"]
    for title, entries in parts.items():
        if entries:
            lines += ["", f"{title}:", *(f"  {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"
