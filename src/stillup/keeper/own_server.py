"""This server's MariaDB: looks at it, and carries the keeper's steps out: acting.

It is called by one thread, under the keeper's lock. Every step may be interrupted at any point: what is
found afterwards is looked at anew, and the marks were written before what they announce.
"""

from dataclasses import dataclass, replace

from stillup.errors import ServerFailed
from stillup.keeper import data_folder, systemd, writer
from stillup.keeper.data_folder import Looked, Marks
from stillup.keeper.mariadb import MariaDB, NoAnswer, Refused
from stillup.keeper.room import has_room
from stillup.keeper.seen import Phase, Position, Report
from stillup.keeper.settings import Settings
from stillup.keeper.standing import STATUS, Standing, standing
from stillup.keeper.steps import (
    Await,
    Declare,
    Found,
    Join,
    Read,
    Rest,
    Settle,
    Step,
    Stop,
    Withdraw,
)

QUERY_S = 3.0
BOOTSTRAP = "wsrep_provider_pc_bootstrap"
AGAIN_S = 60.0
"""How long data count as broken before they are read again: what hindered it may have passed."""
SETTLING_S = 2.0
"""How long systemd may take to show that it starts MariaDB."""
WORDS = {
    "active": Phase.HUNG,
    "reloading": Phase.HUNG,
    "activating": Phase.STARTING,
    "deactivating": Phase.STOPPING,
}
"""What systemd's word means for a MariaDB that does not answer."""


@dataclass(frozen=True, slots=True)
class Look:
    """How this server stands.

    Args:
        report: What the others are told.
        view: The servers with data in its group.
        size: How many are in its group, with the arbiter.
        writer: Who is named as the writer; None if nobody or if it cannot be read.
        since: Since when, UTC.
        has_table: Whether it could be read who is named.
        room: Whether its disk has room for what the site writes.
    """

    report: Report
    view: tuple[str, ...] = ()
    size: int = 0
    writer: str | None = None
    since: str | None = None
    has_table: bool = False
    room: bool = True


class OwnServer:
    """What the keeper sees and does on its own server."""

    def __init__(self, settings: Settings, marks: Marks) -> None:
        self.settings, self.marks = settings, marks
        self._mariadb = MariaDB(within_s=QUERY_S)
        self._looked: Looked | None = None
        self._read_s: float | None = None
        self._before: Position | None = None
        self._started_s: float | None = None
        self._ancestors: tuple[Position, ...] | None = None
        self._view: str | None = None
        self._had_room = True
        self.why_unsettled = ""
        """Why the group's view cannot be remembered, empty if it can; what is served now does not need it."""

    @property
    def why_broken(self) -> str:
        """Why the data here cannot be read, empty if they can."""
        return self._looked.why if self._looked is not None else ""

    @property
    def member(self) -> str | None:
        """Of which cluster the data here that cannot be read were a copy; None if there are none."""
        return self._looked.member if self._looked is not None else None

    def look(self, now_s: float) -> Look:
        """Return how this server stands now.

        Raises:
            ServerFailed: If neither MariaDB nor systemd can be asked.
            OSError: If a mark cannot be read or written.
        """
        try:
            rows = self._mariadb.ask(STATUS).rows
        except (NoAnswer, Refused):
            return Look(self._marked(self._silent(now_s)), room=self._had_room)
        self._looked, self._started_s = None, None
        status = {str(name): value or "" for name, value in rows}
        return self._answering(standing(status, self.settings.addresses))

    def remembers_view(self) -> bool:
        """Whether there is a saved view all commits before which are on the disk."""
        view, _ = data_folder.saved_view()
        return view != "" and view == self.marks.read("settled")

    def do(self, step: Step, look: Look, now_s: float) -> None:
        """Carry the step out.

        Raises:
            ServerFailed: If it cannot be.
            OSError: If a mark or file cannot be written; what it announces was not done then.
        """
        match step:
            case Rest():
                pass
            case Read():
                self._looked, self._read_s = data_folder.look(self.marks), None
                self._before = self._looked.position
            case Join() | Await():
                self._join(step, now_s)
            case Stop(hard=hard):
                systemd.stop(hard=hard)
            case Declare():
                self.marks.write("founding")
            case Withdraw():
                self.marks.remove("founding")
            case Found():
                self._found(step, look, now_s)
            case Settle():
                self._settle(look)

    def _join(self, step: Join | Await, now_s: float) -> None:
        afresh = isinstance(step, Join) and step.afresh
        self.marks.write("joining")
        if isinstance(step, Join):
            # What a person decided while nobody was primary is over, and what lies here may soon be half a copy.
            self.marks.remove("force")
            data_folder.forget_view()
        if afresh:
            data_folder.distrust()
        self._start(None if afresh else self._before, (), now_s)

    def _found(self, step: Found, look: Look, now_s: float) -> None:
        ended = look.report.position
        # Where an earlier try was interrupted, the mark says already where the old history ended.
        if step.new_history and ended is not None and not self.marks.read("force"):
            self.marks.write("force", f"{ended.cluster}:{ended.seqno}")
        if step.running:
            self._promote()
            return
        position = None if step.new_history else self._before
        data_folder.allow_founding(position)
        self._start(position, ("--wsrep-new-cluster",), now_s)

    def _promote(self) -> None:
        # Where MariaDB has the plugin wsrep_provider (Debian 13), each of Galera's options is a variable
        # of its own, and the one that has them all is read-only.
        try:
            if self._mariadb.ask(f"SHOW GLOBAL VARIABLES LIKE '{BOOTSTRAP}'").rows:
                self._mariadb.ask(f"SET GLOBAL {BOOTSTRAP} = ON")
            else:
                self._mariadb.ask("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
        except (NoAnswer, Refused) as error:
            raise ServerFailed(f"MariaDB does not found: {error}") from error

    def _start(self, position: Position | None, options: tuple[str, ...], now_s: float) -> None:
        if position is not None:
            options += (f"--wsrep_start_position={position.cluster}:{position.seqno}",)
        self._looked, self._started_s = None, now_s
        systemd.start(options)

    def _settle(self, look: Look) -> None:
        ended, _, seqno = self.marks.read("force").rpartition(":")
        try:
            if ended:
                for statement in (*writer.CREATE, writer.remember(ended, int(seqno))):
                    self._mariadb.ask(statement)
        except (NoAnswer, Refused) as error:
            raise ServerFailed(f"the end of the old history is not written yet: {error}") from error
        self._ancestors = None
        self._remember(look.report.position)
        for mark in ("birth", "force", "founding"):
            self.marks.remove(mark)

    def _silent(self, now_s: float) -> Report:
        """MariaDB does not answer: systemd says whether it runs."""
        phase = WORDS.get(systemd.state())
        if phase is None and self._started_s is not None and now_s - self._started_s < SETTLING_S:
            phase = Phase.STARTING
        if phase is not None:
            # What it was read to be before is not so any more once it runs.
            self._looked = None
            return Report(phase, self._before if phase is Phase.STARTING else None)
        if self._looked is None or self._looked.folder != data_folder.identity():
            return Report(Phase.UNREAD)
        if self._read_s is None:
            self._read_s = now_s
        if self._looked.phase is Phase.BROKEN and now_s - self._read_s >= AGAIN_S:
            return Report(Phase.UNREAD)
        return Report(self._looked.phase, self._looked.position)

    def _answering(self, stands: Standing) -> Look:
        report = Report(stands.phase, stands.position)
        self._before = stands.position
        if stands.phase is not Phase.MEMBER:
            return Look(self._marked(report), stands.view, stands.size, room=self._had_room)
        self._remember(stands.position)
        try:
            self._note_view(stands)
            self.why_unsettled = ""
        except OSError as error:
            self.why_unsettled = str(error)
        name, since, has_table = self._named()
        self._had_room = has_room(had=self._had_room)
        return Look(
            self._marked(report),
            stands.view,
            stands.size,
            name,
            since,
            has_table=has_table,
            room=self._had_room,
        )

    def _note_view(self, stands: Standing) -> None:
        """Write down that all commits before the saved view are on the disk.

        Galera carries a new view out after all that was received before it, and shows its size then.
        That it is that of the saved view in two looks, with nothing left to do, is taken for it.
        """
        view, size = data_folder.saved_view()
        if stands.behind or size != stands.size:
            self._view = None
        elif view != self._view:
            self._view = view
        elif view != self.marks.read("settled"):
            self.marks.write("settled", view)

    def _named(self) -> tuple[str | None, str | None, bool]:
        try:
            rows = self._mariadb.ask(writer.READ).rows
        except (NoAnswer, Refused):
            return None, None, False
        return (rows[0][0], rows[0][1], True) if rows else (None, None, True)

    def _remember(self, position: Position | None) -> None:
        """Write down, once, of which cluster this server is a member, and what it grew out of."""
        cluster, known = self.marks.member()
        if self._ancestors is None:
            self._ancestors = self._read_ancestors(known)
        if position is not None and (cluster, known) != (position.cluster, self._ancestors):
            self.marks.write_member(position.cluster, self._ancestors)
        self.marks.remove("joining")

    def _read_ancestors(self, known: tuple[Position, ...]) -> tuple[Position, ...]:
        try:
            rows = self._mariadb.ask("SELECT cluster, seqno FROM stillup.history").rows
        except (NoAnswer, Refused):
            return known
        return tuple(Position(str(row[0]), int(row[1] or -1)) for row in rows)

    def _marked(self, report: Report) -> Report:
        return replace(
            report,
            founding=self.marks.has("founding"),
            birth=self.marks.has("birth"),
            forced=self.marks.has("force"),
            ancestors=self.marks.member()[1],
        )
