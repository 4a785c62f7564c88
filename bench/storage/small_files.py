"""Runs on a web server: 2,000 small PHP files made and looked at, in two folders in turns.

``python3 small_files.py ROUNDS LOCAL SHARED`` prints JSON: {"local"|"shared": {what: [seconds]}}. Cold
is the first look after the files were made by another client, or here by this one with its
caches as they are; warm is the look right after it.
"""

# The plain calls, so that as little as possible of our own is measured.
# ruff: noqa: PTH103, PTH110, PTH116, PTH123

import json
import os
import shutil
import sys
import time
from collections.abc import Callable

COUNT = 2000
FOLDERS = 40


def main(rounds: int, folders: dict[str, str]) -> None:
    took: dict[str, dict[str, list[float]]] = {name: {} for name in folders}
    for number in range(rounds):
        for name, folder in folders.items():
            place = f"{folder}/bench{number}"
            for what, work in WORKS:
                began = time.monotonic()
                work(place)
                took[name].setdefault(what, []).append(time.monotonic() - began)
            shutil.rmtree(place)
    print(json.dumps(took))


def paths(place: str) -> list[str]:
    return [f"{place}/{number % FOLDERS:02}/page{number}.php" for number in range(COUNT)]


def make(place: str) -> None:
    for folder in range(FOLDERS):
        os.makedirs(f"{place}/{folder:02}")
    for number, path in enumerate(paths(place)):
        with open(path, "w") as file:
            file.write(f"<?php // page {number}\n" + "echo 'words';\n" * 150)


def stat(place: str) -> None:
    for path in paths(place):
        os.stat(path)


def read(place: str) -> None:
    for path in paths(place):
        with open(path, "rb") as file:
            file.read()


def miss(place: str) -> None:
    for path in paths(place):
        if os.path.exists(f"{path}.not"):
            raise AssertionError(path)


WORKS: list[tuple[str, Callable[[str], None]]] = [
    ("make", make),
    ("stat, first", stat),
    ("stat, again", stat),
    ("read, first", read),
    ("read, again", read),
    ("look for what is not there, first", miss),
    ("look for what is not there, again", miss),
]

if __name__ == "__main__":
    main(int(sys.argv[1]), dict(zip(("local", "shared"), sys.argv[2:4], strict=True)))
