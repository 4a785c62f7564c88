"""``stillup init``: a farm file to start from, its secrets, and a site of two pages.

What is there already is left as it is: a farm file is never overwritten, a site's folder
never touched. What was written passes ``stillup check`` as it stands.
"""

from argparse import Namespace
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm, load_secrets
from stillup.cli.secrets_file import secrets_path
from stillup.errors import EXIT_DONE, InputRefused
from stillup.model import addresses, values
from stillup.model.problems import printable
from stillup.model.reference import SCHEMA_NAME, json_schema
from stillup.model.refused import ValueRefused, sound

_SITE = "site"
_PAGES = ("index.php", "health.php")


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "init",
        help="write a farm.toml to start from, and the farm's secrets",
        description="Writes a farm file to start from (-f names another than farm.toml), the\n"
        "farm's secrets beside it, and a site of two pages where there is no site/ yet.",
    )
    parser.add_argument("--name", help="the farm's name [the folder's, or shop]")
    parser.add_argument("--host", help="the site's host name [NAME.example]")


def run(arguments: Namespace) -> int:
    """Write them."""
    path: Path = arguments.file
    if path.exists():
        raise _there_already(path)
    name = _name(arguments.name, path)
    host = _refused_as_argument("--host", arguments.host or f"{name}.example")
    pages = _write_site(path.parent / _SITE)
    _write_new(path, _start("farm.toml", {"name": name, "host": host}))
    load_secrets(load_farm(path), path)
    schema = path.with_name(SCHEMA_NAME)
    if not schema.exists():
        _write_new(schema, json_schema())
        pages.append(schema)
    shown = printable(str(path))
    print(f"wrote {shown}: six servers; put in your names and addresses")
    print(f"wrote {printable(str(secrets_path(path)))}: the farm's secrets; keep a copy safe")
    for page in pages:
        print(f"wrote {printable(str(page))}")
    option = "" if path == Path("farm.toml") else f" -f {shown}"
    print(
        f"\nnext: `stillup check{option}`, then `stillup lab up{option}` to run it on this machine"
    )
    return EXIT_DONE


def _name(given: str | None, path: Path) -> str:
    if given is not None:
        return _refused_as_argument("--name", given)
    return sound(values.label, path.absolute().parent.name.lower()) or "shop"


def _refused_as_argument(option: str, text: str) -> str:
    parse = values.label if option == "--name" else addresses.host
    try:
        return parse(text)
    except ValueRefused as error:
        raise InputRefused(f"{option}: {error.text}") from error


def _start(file: str, words: Mapping[str, str]) -> str:
    text = resources.files("stillup.cli").joinpath("start", file).read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _there_already(path) from None
    except OSError as error:
        why = error.strerror or "it cannot"
        raise InputRefused(f"{printable(str(path))} cannot be written: {why}") from error


def _write_site(folder: Path) -> list[Path]:
    if folder.exists():
        return []
    try:
        folder.mkdir()
    except OSError as error:
        why = error.strerror or "it cannot"
        raise InputRefused(f"{printable(str(folder))} cannot be made: {why}") from error
    pages = [folder / page for page in _PAGES]
    for page in pages:
        _write_new(
            page, resources.files("stillup.cli").joinpath("start", page.name).read_text("utf-8")
        )
    return pages


def _there_already(path: Path) -> InputRefused:
    return InputRefused(
        f"{printable(str(path))} is there already and stays as it is; -f names another"
    )
