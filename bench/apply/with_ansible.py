"""The same work as an Ansible playbook, tuned as its documentation advises.

Pipelining, a fork a server, connections kept open, no fact gathering, a fixed interpreter, and
one pass over all servers at once. The tree of code goes as one archive (one call, compared by
``tar --diff``) instead of a copy for each of its files. The sysctls are one file and one command each way, not one
module call a key (``ansible.posix.sysctl``, which is not in ansible-core): fewer calls, so
faster for Ansible.
"""

import io
import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from bench.apply.work import CODE, Work

PLAY = """\
- hosts: all
  gather_facts: false
  strategy: {strategy}
  tasks:
    - name: files
      ansible.builtin.copy:
        src: "{{{{ item.src }}}}"
        dest: "{{{{ item.dest }}}}"
        mode: "{{{{ item.mode }}}}"
        owner: "{{{{ item.owner }}}}"
        group: "{{{{ item.group }}}}"
      loop: "{{{{ files }}}}"
      loop_control: {{label: "{{{{ item.dest }}}}"}}
    - name: the heartbeat's code
      ansible.builtin.unarchive:
        src: "{{{{ code.src }}}}"
        dest: "{{{{ code.dest }}}}"
    - name: sysctls as they are
      ansible.builtin.command: "sysctl -n {{{{ sysctls.keys() | join(' ') }}}}"
      register: live
      changed_when: false
      check_mode: false
    - name: sysctls as they should be
      ansible.builtin.command: "sysctl -w {{{{ item.key }}}}={{{{ item.value | quote }}}}"
      loop: "{{{{ sysctls | dict2items }}}}"
      when: live.stdout_lines | map('split') | map('join', ' ') | list != sysctls.values() | list
    - name: units
      ansible.builtin.systemd_service:
        name: "{{{{ item.name }}}}"
        enabled: "{{{{ item.enabled }}}}"
        state: "{{{{ item.state }}}}"
      loop: "{{{{ units }}}}"
"""

CONFIGURATION = """\
[defaults]
forks = 6
gathering = explicit
interpreter_python = /usr/bin/python3
host_key_checking = True
retry_files_enabled = False
[ssh_connection]
pipelining = True
ssh_args = -o ControlMaster=auto -o ControlPersist=10m -o UserKnownHostsFile={known_hosts} -i {key}
control_path_dir = {folder}/cp
"""


class Ansible:
    """Ansible's side: the files it works from, its command, how it tells what it changed."""

    name = "ansible"

    def __init__(self, folder: Path, venv: Path, key: Path, known_hosts: Path) -> None:
        self._folder = folder
        self._venv = venv
        self._key = key
        self._known_hosts = known_hosts

    def write(self, works: Sequence[Work], *, strategy: str = "free") -> None:
        self._folder.mkdir(mode=0o700)
        (self._folder / "play.yml").write_text(PLAY.format(strategy=strategy))
        configuration = CONFIGURATION.format(
            key=self._key, known_hosts=self._known_hosts, folder=self._folder
        )
        (self._folder / "ansible.cfg").write_text(configuration)
        hosts = {work.server: self._host(work) for work in works}
        (self._folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def command(self) -> list[str]:
        return [str(self._venv / "bin" / "ansible-playbook"), "-i", "hosts.json", "play.yml"]

    def environment(self) -> dict[str, str]:
        return {"ANSIBLE_CONFIG": str(self._folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}

    @property
    def folder(self) -> Path:
        return self._folder

    def changed(self, output: str) -> int:
        """Return how many things were changed on all servers together."""
        recap = output.partition("PLAY RECAP")[2]
        assert re.search(r"(unreachable|failed)=[1-9]", recap) is None, output
        return sum(int(count) for count in re.findall(r"changed=(\d+)", recap))

    def _host(self, work: Work) -> dict[str, object]:
        files = []
        for number, file in enumerate(work.files):
            source = self._folder / f"{work.server}-{number}"
            source.write_text(file.text)
            files.append(
                {
                    "src": str(source),
                    "dest": file.path,
                    "mode": f"{file.mode:04o}",
                    "owner": file.owner,
                    "group": file.group,
                }
            )
        units = [
            {
                "name": unit.name,
                "enabled": unit.enabled,
                "state": "started" if unit.running else "stopped",
            }
            for unit in work.units
        ]
        return {
            "ansible_host": str(work.address),
            "ansible_user": "root",
            "files": files,
            "code": {"src": self._archive(work), "dest": CODE},
            "units": units,
            "sysctls": {key: " ".join(value.split()) for key, value in work.sysctls},
        }

    def _archive(self, work: Work) -> str:
        """Write the code as a tar archive, everything in it root's, and return its path."""
        path = self._folder / f"{work.server}-code.tar"
        with tarfile.open(path, "w") as archive:
            for file in work.code:
                member = tarfile.TarInfo(file.path.removeprefix(CODE))
                member.size, member.mode, member.mtime = len(file.text.encode()), file.mode, 1
                member.uname = member.gname = "root"
                archive.addfile(member, io.BytesIO(file.text.encode()))
        return str(path)
