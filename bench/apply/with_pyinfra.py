"""The same work as a pyinfra deploy: its own operations, all servers at once."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from bench.apply.work import Work

DEPLOY = """\
from pyinfra import host
from pyinfra.operations import files, server, systemd

for file in host.data.files:
    files.put(
        name=file["dest"], src=file["src"], dest=file["dest"],
        mode=file["mode"], user=file["owner"], group=file["group"],
    )
for key, value in host.data.sysctls.items():
    server.sysctl(name=key, key=key, value=value)
for unit in host.data.units:
    systemd.service(
        name=unit["name"], service=unit["name"],
        running=unit["running"], enabled=unit["enabled"],
    )
"""


class Pyinfra:
    """pyinfra's side: the files it works from, its command, how it tells what it changed."""

    name = "pyinfra"

    def __init__(self, folder: Path, venv: Path, key: Path, known_hosts: Path) -> None:
        self._folder = folder
        self._venv = venv
        self._key = key
        self._known_hosts = known_hosts

    @property
    def folder(self) -> Path:
        return self._folder

    def write(self, works: Sequence[Work]) -> None:
        self._folder.mkdir(mode=0o700)
        (self._folder / "deploy.py").write_text(DEPLOY)
        (self._folder / "data.json").write_text(
            json.dumps([[str(work.address), self._host(work)] for work in works])
        )
        (self._folder / "inventory.py").write_text(
            "import json, pathlib\n"
            "farm = [tuple(host) for host in json.loads(pathlib.Path('data.json').read_text())]\n"
        )

    def command(self) -> list[str]:
        return [str(self._venv / "bin" / "pyinfra"), "-y", "inventory.py", "deploy.py"]

    def environment(self) -> dict[str, str]:
        return {}

    def changed(self, output: str) -> int:
        """Return how many operations changed something, on all servers together."""
        plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
        results = plain.rpartition("--> Results")[2]
        total = re.search(r"^\s*Grand total\s*.*$", results, re.MULTILINE)
        assert total is not None, output
        changed, errors, _no_change = re.findall(r"(\d+|-)", total[0])[-3:]
        assert errors in {"-", "0"}, output
        return 0 if changed == "-" else int(changed)

    def _host(self, work: Work) -> dict[str, object]:
        files = []
        for number, file in enumerate((*work.files, *work.code)):
            source = self._folder / f"{work.server}-{number}"
            source.write_text(file.text)
            files.append(
                {
                    "src": str(source),
                    "dest": file.path,
                    "mode": f"{file.mode:o}",
                    "owner": file.owner,
                    "group": file.group,
                }
            )
        return {
            "ssh_user": "root",
            "ssh_key": str(self._key),
            "ssh_known_hosts_file": str(self._known_hosts),
            "ssh_strict_host_key_checking": "yes",
            "files": files,
            # What the kernel answers: numbers as numbers, or pyinfra sets them every time.
            "sysctls": {key: _number(value) for key, value in work.sysctls},
            "units": [
                {"name": unit.name, "running": unit.running, "enabled": unit.enabled}
                for unit in work.units
            ],
        }


def _number(value: str) -> object:
    words = [int(word) if word.lstrip("-").isdigit() else word for word in value.split()]
    return words[0] if len(words) == 1 else words
