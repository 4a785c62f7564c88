"""Gluster on this server: looked at, and told. Every command is bounded."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from stillup.errors import ServerFailed
from stillup.keeper import storage_answers as answers
from stillup.keeper import storage_disk
from stillup.keeper import storage_step as step
from stillup.keeper.storage_seen import Brick, Disk, Storage, Volume
from stillup.keeper.storage_settings import BRICK, STATE, VOLUME, StorageSettings

ASK_S = 10.0
ACT_S = 180.0
"""Gluster's own bound for one command is two minutes."""
COMPARE_S = 60.0
GRANULAR = "cluster.granular-entry-heal"
MARK = "trusted.glusterfs.volume-id"
OWN_FOLDER = ".glusterfs"
INDEX = Path(BRICK) / OWN_FOLDER / "indices/xattrop"
HEAL_MOUNT = Path("/run/stillup/storage/heal")
SECOND_NAME = ".stillup-heal"
MOST_HEALED = 500
"""At once, so that the keeper goes on looking: what it saw last is soon too old."""


@dataclass(slots=True)
class Gluster:
    """The way to this server's Gluster."""

    settings: StorageSettings
    pending_from_s: float | None = field(default=None)
    unsure_from_s: float | None = field(default=None)
    compared: bool = False
    """Whether the copies were compared since every member was connected last."""
    unnoted: str = field(default="")
    """Why it could not be remembered where the brick's disk is mounted, empty if it could."""

    def look(self, now_s: float) -> Storage:
        """Return how things stand, at the monotonic time ``now_s``."""
        folder = Path(STATE).parent
        code, _ = _run([*_CLI, "get-state", "glusterd", "odir", str(folder), "file", "pool"])
        if code:
            return Storage(answers=False, disk=_disk(None))
        pool = answers.pool((folder / "pool").read_text(encoding="utf-8", errors="replace"))
        pending = _pending()
        unsure = self._is_unsure(pool, pending)
        disk = _disk(pool.volume)
        if pool.runs and disk is Disk.OURS:
            self._note_disk()
        self.pending_from_s = _since(self.pending_from_s, now_s, holds=pending > 0)
        self.unsure_from_s = _since(self.unsure_from_s, now_s, holds=unsure)
        return Storage(
            answers=True,
            volume=pool.volume,
            connected=pool.connected,
            known=pool.known,
            elsewhere=self._elsewhere() if pool.volume is None else {},
            disk=disk,
            runs=pool.runs,
            pending=pending,
            pending_since_s=_age_s(self.pending_from_s, now_s),
            unsure=unsure,
            unsure_since_s=_age_s(self.unsure_from_s, now_s),
            whole=self._whole(pool.volume),
        )

    def _note_disk(self) -> None:
        """Remember where its disk is mounted; what hinders that hinders nothing else, and is said once."""
        try:
            storage_disk.remember()
            why = ""
        except OSError as error:
            why = str(error)
        if why != self.unnoted:
            sys.stderr.write(
                f"the brick's disk is {f'not remembered: {why}' if why else 'remembered'}\n"
            )
        self.unnoted = why

    def _is_unsure(self, pool: answers.Pool, pending: int) -> bool:
        """Say whether the copies are still to be compared since every member was connected last.

        A brick's own index of what others lack forgets nothing while one of them stays on. When all
        lose their power in the same moment a file can be on some of them with no more than a mark
        that something was under way, which the index does not count.
        """
        others = {member.address for member in self.settings.members} - {self.settings.own.address}
        if pool.volume is None or not pool.runs or not others <= pool.connected:
            self.compared = False
            return False
        return not pending and not self.compared

    def _elsewhere(self) -> dict[str, bool | None]:
        found: dict[str, bool | None] = {}
        for member in self.settings.members:
            if member != self.settings.own:
                # Asking is all that Gluster lets another server do.
                code, told = _run([*_CLI, f"--remote-host={member.address}", "volume", "list"])
                found[member.address] = None if code else answers.knows_volume(told)
        return found

    def _whole(self, volume: Volume | None) -> bool | None:
        """Ask all bricks, where bricks are to go."""
        members = {Brick(m.address, m.is_arbiter) for m in self.settings.members}
        if volume is None or not set(volume.bricks) - members:
            return None
        code, told = _run([*_GLUSTER, "status", VOLUME, "--xml"])
        if code or not answers.all_run(told, volume):
            return False
        return self._behind() == 0

    def act(self, wanted: step.Step) -> None:
        """Carry out one step.

        Raises:
            ServerFailed: If Gluster refused, with its own words.
        """
        match wanted:
            case step.Wait() | step.Rest():
                return
            case step.Clear():
                _clear()
            case step.ResetBrick():
                self._reset()
            case step.Compare():
                self._compare()
            case step.Heal():
                self._heal()
            case _:
                for arguments in _commands(wanted):
                    _do(*arguments)

    def _reset(self) -> None:
        own = _brick(self.settings.own.address)
        # Stops what Gluster believes to run; then the folder is taken as it is.
        _run([*_GLUSTER, "reset-brick", VOLUME, own, "start"], ACT_S)
        try:
            _do("reset-brick", VOLUME, own, own, "commit", "force")
        except ServerFailed:
            # Told of the volume by the others, it takes its own folder for a new one until it has
            # read it all from its disk once. The next look tries again.
            _run(["systemctl", "restart", "glusterd.service"], ACT_S)
            raise

    def _compare(self) -> None:
        """Ask Gluster whether any file differs, once no brick has written down that another lacks one.

        To list what differs each such file is locked and looked at on every brick: with thousands
        still to heal it takes minutes, and its healer waits for the same locks.
        """
        if self._behind() != 0:
            return
        code, told = _run([*_GLUSTER, "heal", VOLUME, "info", "summary", "--xml"], COMPARE_S)
        self.compared = code == 0 and answers.differing(told) == 0

    def _behind(self) -> int | None:
        """Return how many files any brick has to heal on another; None if one did not answer."""
        code, told = _run([*_GLUSTER, "heal", VOLUME, "statistics", "heal-count"])
        return None if code else answers.behind(told)

    def _heal(self) -> None:
        """Look each file up that is behind: Gluster heals what a client comes upon.

        Its own healer passes over a file that was made while a server was joining and that is
        missing there; looking it up by its name makes it there. With thousands of files behind, Gluster's
        healer is at work and its list takes minutes: that is left alone, and this looks later again.

        A file that was under way while a brick came is on the others with a mark that no index of missed
        names holds, and a look does not bring it (0912). Giving it a second name for a moment does: that fails
        where the file is missing, and so the folder is known to be behind there.
        """
        anew = not _pending()
        self.pending_from_s = self.unsure_from_s = None
        code, told = _run([*_GLUSTER, "heal", VOLUME, "info"])
        if code:
            raise ServerFailed(f"gluster volume heal info: {_last(told)}")
        names = answers.entries(told)
        HEAL_MOUNT.mkdir(parents=True, exist_ok=True)
        server = self.settings.own.address
        options = [f"--volfile-server={server}", f"--volfile-id=/{VOLUME}", "--attribute-timeout=0"]
        code, told = _run(["glusterfs", *options, "--entry-timeout=0", str(HEAL_MOUNT)], ACT_S)
        if code:
            raise ServerFailed(f"the volume could not be mounted to heal it: {_last(told)}")
        try:
            paths = [f"{HEAL_MOUNT}{path}" for path in names[:MOST_HEALED]]
            _run(["stat", "--format=", "--", str(HEAL_MOUNT), *paths])
            for path in paths if anew else ():
                beside = f"{Path(path).parent}/{SECOND_NAME}"
                _run(["ln", "--force", "--physical", "--", path, beside])
                _run(["rm", "--force", "--", beside])
        finally:
            _run(["umount", "--lazy", str(HEAL_MOUNT)])
        _do("heal", VOLUME)


_CLI = ("gluster", "--log-level=ERROR", "--mode=script")
"""It would log five lines each time that it is asked."""
_GLUSTER = (*_CLI, "volume")


def _commands(wanted: "step.Step") -> list[list[str]]:
    """Return the commands of a step, each below ``gluster volume``."""
    match wanted:
        case step.Create(bricks):
            kind = ["arbiter", "1"] if any(b.is_arbiter for b in bricks) else []
            places = [_brick(brick.address) for brick in bricks]
            # Forced, as a brick beside the system on one disk is no mistake here.
            return [["create", VOLUME, "replica", str(len(bricks)), *kind, *places, "force"]]
        case step.Start():
            return [["start", VOLUME, "force"]]
        case step.SetOptions(options):
            return _set(options)
        case step.ReplaceBrick(old, new):
            return [["replace-brick", VOLUME, _brick(old), _brick(new), "commit", "force"]]
        case step.RemoveBrick(address, left):
            return [["remove-brick", VOLUME, "replica", str(left), _brick(address), "force"]]
        case step.AddBrick(brick, count):
            kind = ["arbiter", "1"] if brick.is_arbiter else []
            return [
                ["add-brick", VOLUME, "replica", str(count), *kind, _brick(brick.address), "force"]
            ]
        case step.Detach(address):
            return [["detach", address]]
        case step.Wait() | step.Rest() | step.Clear() | step.ResetBrick():
            return []
        case step.Compare() | step.Heal():
            return []
    assert_never(wanted)


def _set(options: tuple[tuple[str, str], ...]) -> list[list[str]]:
    """Return the commands that set these options: one, and one more for what `set` refuses."""
    apart = [
        ["heal", VOLUME, "granular-entry-heal", value]
        for name, value in options
        if name == GRANULAR
    ]
    words = [word for option in options if option[0] != GRANULAR for word in option]
    return apart + ([["set", VOLUME, *words]] if words else [])


def _do(*arguments: str) -> None:
    if arguments[0] == "detach":
        command = [*_CLI, "peer", "detach", *arguments[1:], "force"]
    else:
        command = [*_GLUSTER, *arguments]
    code, told = _run(command, ACT_S)
    if code:
        raise ServerFailed(f"gluster {' '.join(command[3:5])}: {_last(told)}")


def _last(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "no answer"


def _brick(address: str) -> str:
    return f"{address}:{BRICK}"


def _run(command: list[str], within_s: float = ASK_S) -> tuple[int, str]:
    """Return a command's exit code and its output; 124 when it took too long."""
    try:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return 127, f"{command[0]}: {error.strerror}"
    with running:
        try:
            told, _ = running.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            # With what it started: Gluster's list of files to heal is made by another program.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            return 124, f"no answer within {within_s:.0f} s"
    return running.returncode, told.decode(errors="replace")


def _disk(volume: Volume | None) -> Disk:
    if storage_disk.is_away():
        return Disk.AWAY
    folder = Path(BRICK)
    try:
        # Gluster's own folder holds no file that is not beside it by its name.
        holds_files = any(place.name != OWN_FOLDER for place in folder.iterdir())
    except FileNotFoundError:
        return Disk.EMPTY
    try:
        mark = str(uuid.UUID(bytes=os.getxattr(folder, MARK)))
    except OSError:
        return Disk.FOREIGN if holds_files else Disk.EMPTY
    if volume is not None and mark == volume.id:
        return Disk.OURS
    return Disk.FOREIGN if holds_files else Disk.BARE


def _clear() -> None:
    """Take Gluster's marks off the brick's folder, and its own folder away."""
    folder = Path(BRICK)
    shutil.rmtree(folder / OWN_FOLDER, ignore_errors=True)
    for name in os.listxattr(folder):
        if name.startswith("trusted.") and not name.startswith("trusted.overlay."):
            os.removexattr(folder, name)


def _since(since_s: float | None, now_s: float, *, holds: bool) -> float | None:
    """Return since when something holds, which was seen first at ``since_s``, if it still does."""
    if not holds:
        return None
    return now_s if since_s is None else since_s


def _age_s(since_s: float | None, now_s: float) -> float:
    return 0.0 if since_s is None else now_s - since_s


def _pending() -> int:
    """Count the files that this brick knows to be behind elsewhere: Gluster's index of them."""
    try:
        names = [place.name for place in INDEX.iterdir()]
    except OSError:
        return 0
    return sum(not name.startswith("xattrop-") for name in names)
