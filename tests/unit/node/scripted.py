"""A folder that stands for a server: real files, and systemd, apt and engines as a script.

Everything the script knows is kept in files of the folder, so that it outlives a process that
is killed in the middle, as a real systemd does. A unit remembers the content of the files it
was started or reloaded with: that is how a test sees a reaction that did not happen.

Engines follow a simple rule: a configuration with the word BROKEN is refused by its checker, one
with SICK is accepted but never becomes healthy, one with CRASH does not start.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stillup.errors import ServerFailed
from stillup.node import view
from stillup.node.world import Account, Ran

STATE = "scripted.json"
ACCOUNTS = {"root": 0, "www-data": 33, "haproxy": 104}


class Folder:
    """A server in a folder."""

    def __init__(self, root: Path, archive: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.root = root
        self._archive = archive or {}
        self._now = 1000.0
        self.calls: list[tuple[str, ...]] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        within_s: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        self.calls.append(tuple(argv))
        self._now += 0.01
        if str(Path(view.__file__)) in argv:
            return self._check(argv[3:], json.loads(stdin))
        word = argv[0].replace("-", "_")
        act = getattr(self, f"_{word}", None)
        if act is None:
            return Ran(127, err=f"{argv[0]}: not found".encode())
        ran = act(list(argv[1:]))
        assert isinstance(ran, Ran)
        return ran

    def account(self, name: str) -> Account | None:
        known = self.state()["accounts"]
        assert isinstance(known, dict)
        entry = known.get(name)
        return Account(name, entry[0], entry[1], frozenset(entry[2])) if entry else None

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        if owner not in ACCOUNTS or group not in ACCOUNTS:
            raise ServerFailed(f"there is no user {owner} or no group {group}")
        # The folder belongs to whoever runs the tests; chown to it is allowed to everybody.
        status = self.root.stat()
        return status.st_uid, status.st_gid

    def names(self, uid: int, gid: int) -> tuple[str, str]:
        return "root", "root"

    def now_s(self) -> float:
        return self._now

    def wall_s(self) -> float:
        return 1_700_000_000.0

    def pause(self, seconds: float) -> None:
        self._now += seconds

    # What the script knows.

    def state(self) -> dict[str, dict[str, list[str]]]:
        place = self.root / STATE
        if place.exists():
            loaded: dict[str, dict[str, list[str]]] = json.loads(place.read_text())
            return loaded
        return {"packages": {}, "units": {}, "runs": {}, "done": {}, "accounts": {}, "busy": {}}

    def _save(self, state: Mapping[str, object]) -> None:
        place = self.root / STATE
        new = place.with_suffix(".new")
        new.write_text(json.dumps(state, indent=1, sort_keys=True))
        new.rename(place)

    def keep_busy(self, times: int) -> None:
        """Let the next so many marks fail."""
        self._save({**self.state(), "busy": {str(time): [] for time in range(times)}})

    def unit(self, name: str) -> tuple[str, str]:
        """Return a unit's state: active and enabled."""
        active, enabled = self.state()["units"].get(name, ["inactive", "disabled"])
        return active, enabled

    def _read(self, path: str) -> str:
        place = self.root / path.lstrip("/")
        return place.read_text() if place.is_file() else ""

    # The programs.

    def _dpkg_query(self, argv: list[str]) -> Ran:
        if "Conffiles" in argv[2]:
            return Ran(0, self._read("/conffiles").encode())
        known = self.state()["packages"]
        lines = [f"{name} installed" for name in argv[3:] if name in known]
        return Ran(0 if len(lines) == len(argv[3:]) else 1, "\n".join(lines).encode())

    def _apt_get(self, argv: list[str]) -> Ran:
        if "update" in argv:
            return Ran(0)
        names = argv[argv.index("--no-install-recommends") + 1 :]
        for name in names:
            if name not in self._archive:
                return Ran(100, err=f"E: Unable to locate package {name}\n".encode())
        state = self.state()
        for name in names:
            for path, text in self._archive[name].items():
                place = self.root / path.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.exists():
                    place.write_text(text)
            state["packages"][name] = []
        self._save(state)
        return Ran(0)

    def _useradd(self, argv: list[str]) -> Ran:
        state = self.state()
        home, shell = argv[argv.index("-d") + 1], argv[argv.index("--shell") + 1]
        state["accounts"][argv[-1]] = [home, shell, []]  # type: ignore[list-item]  # groups
        self._save(state)
        return Ran(0)

    def _systemctl(self, argv: list[str]) -> Ran:
        if argv[0] == "show":
            return Ran(0, "\n\n".join(self._show(name) for name in argv[3:]).encode())
        verb, names = argv[2], argv[4:]
        if verb == "daemon-reload":
            return Ran(0)
        for name in names:
            ran = self._unit_does(verb, name)
            if ran.code:
                return ran
        return Ran(0)

    def _show(self, name: str) -> str:
        active, enabled = self.unit(name)
        return f"ActiveState={active}\nUnitFileState={enabled}\nLoadState=loaded"

    def _unit_does(self, verb: str, name: str) -> Ran:
        state = self.state()
        active, enabled = state["units"].get(name, ["inactive", "disabled"])
        if verb in {"enable", "disable"}:
            enabled = f"{verb}d"
        elif verb in {"stop", "reset-failed"}:
            active = "inactive" if verb == "stop" or active == "failed" else active
        elif verb == "reload" and active != "active":
            return Ran(1, err=b"not active, cannot reload")
        elif verb in {"start", "restart", "reload"}:
            config = self._read(f"/etc/{name.removesuffix('.service')}.conf")
            active = "failed" if "CRASH" in config else "active"
            state["runs"][name] = [config]
        state["units"][name] = [active, enabled]
        self._save(state)
        return Ran(1, err=f"{name} failed".encode()) if active == "failed" else Ran(0)

    def _journalctl(self, argv: list[str]) -> Ran:
        return Ran(0, b"fatal: the word CRASH in the configuration\n")

    def _check(self, argv: Sequence[str], moves: Mapping[str, bool]) -> Ran:
        path = argv[1]
        if path not in moves:
            text = self._read(path)
        elif moves[path]:
            folder, name = path.rsplit("/", 1)
            text = self._read(f"{folder}/.{name}{view.NEW}")
        else:
            text = ""
        line = next((line for line in text.splitlines() if "BROKEN" in line), None)
        return Ran(0) if line is None else Ran(1, err=f"[ALERT] unknown word in: {line}".encode())

    def _healthy(self, argv: list[str]) -> Ran:
        active, _ = self.unit(argv[0])
        runs = self.state()["runs"].get(argv[0], [""])[0]
        return Ran(0) if active == "active" and "SICK" not in runs else Ran(1, err=b"error: 503")

    def _mark(self, argv: list[str]) -> Ran:
        state = self.state()
        if state["busy"]:
            state["busy"].popitem()
            self._save(state)
            return Ran(1, err=b"busy\n")
        state["done"][argv[0]] = []
        self._save(state)
        return Ran(0)

    def _marked(self, argv: list[str]) -> Ran:
        return Ran(0 if argv[0] in self.state()["done"] else 1)
