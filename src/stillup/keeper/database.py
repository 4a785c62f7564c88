"""The database keeper's daemon: looks, decides, acts, and answers: acting.

One thread looks at MariaDB and carries steps out, five times a second, under a lock. One thread for each
peer asks it how it stands. One names the writer, as that may wait for the group. HTTP has its own.
"""

import math
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace

from stillup.errors import ServerFailed
from stillup.keeper import data_folder, seal, systemd, talk, words, writer
from stillup.keeper.acquaintance import Acquaintance, Told, heard
from stillup.keeper.data_folder import Marks
from stillup.keeper.mariadb import MariaDB, NoAnswer, Refused
from stillup.keeper.next_step import next_step
from stillup.keeper.own_server import Look, OwnServer
from stillup.keeper.pace import Pace
from stillup.keeper.seen import AT_REST, PRIMARY, Phase, Report, Seen
from stillup.keeper.served import Server
from stillup.keeper.settings import Json, Settings
from stillup.keeper.steps import Await, Declare, Found, Join, Rest, Settle, Step
from stillup.keeper.words import Words

ROUND_S = 0.2
ASK_EACH_S = 0.25
ANSWER_WITHIN_S = 0.6
NAME_WITHIN_S = 10.0
STALE_S = 4.0
"""A look this old says nothing about now: HAProxy is told that the server is not usable."""
LISTENER = "STILLUP_KEEPER_LISTENER"


class Keeper:
    """The daemon."""

    def __init__(self, settings: Settings, key: bytes, marks: Marks, now_s: float) -> None:
        self._settings, self._key = settings, key
        self._own = OwnServer(settings, marks)
        self._marks = marks
        self._peers = Acquaintance(settings.peers, now_s)
        self._pace = Pace(now_s)
        self._lock = threading.Lock()
        self._look = Look(Report(Phase.UNREAD))
        self._looked_s = now_s
        self._wrote_s = -math.inf
        self._declared_s: float | None = now_s if marks.has("founding") else None
        self._reason = "it has just begun"
        self._unsettled = ""
        self._has_room = True
        self._renew, self._end = threading.Event(), threading.Event()

    def run(self) -> None:
        """Keep the database until the process is told to end."""
        signal.signal(signal.SIGHUP, lambda *_: self._renew.set())
        signal.signal(signal.SIGTERM, lambda *_: self._end.set())
        systemd.forbid()
        listener = self._listener()
        Server(listener, self).run()
        for name in self._settings.peers:
            threading.Thread(target=self._ask, args=(name,), name=name, daemon=True).start()
        threading.Thread(target=self._name_writer, name="writer", daemon=True).start()
        systemd.tell("READY=1")
        while not self._end.wait(ROUND_S):
            with self._lock:
                self._round(time.monotonic())
            if self._renew.is_set():
                _renew(listener)

    def health(self) -> tuple[int, str]:
        """Return what HAProxy is told: 200 the writer, 404 well but not the writer, 503 not usable."""
        look = self._look
        if look.report.phase is not Phase.MEMBER or time.monotonic() - self._looked_s > STALE_S:
            return 503, f"not usable: {look.report.phase.value}"
        was_s_ago = time.monotonic() - self._wrote_s
        if writer.is_said(self._settings.name, look.writer, was_s_ago):
            return 200, "the writer"
        return 404, "not the writer"

    def state(self, question: dict[str, str]) -> tuple[int, bytes]:
        """Return the signed state; who founds makes this server forget its saved view."""
        nonce, founder = question.get("nonce", ""), question.get("founding")
        if founder is None:
            return 200, seal.close(self._key, nonce, self._body())
        said = seal.told(nonce, founder, founding=True)
        if not seal.is_signed(self._key, said, question.get("mac", "")):
            return 403, b"{}"
        # Under the lock: no step that was decided before is carried out after the answer.
        if not self._lock.acquire(timeout=ANSWER_WITHIN_S):
            return 503, b"{}"
        try:
            if self._look.report.phase in AT_REST:
                data_folder.forget_view()
            return 200, seal.close(self._key, nonce, words.say(self._words()))
        finally:
            self._lock.release()

    def _listener(self) -> socket.socket:
        inherited = os.environ.pop(LISTENER, "")
        if inherited:
            return socket.socket(fileno=int(inherited))
        while True:
            try:
                return talk.listening(self._settings.address, self._settings.port)
            except OSError as error:
                # At boot the address may come after the keeper.
                _log(f"cannot listen yet: {error}")
                if self._end.wait(1.0):
                    raise ServerFailed("told to end before it could listen") from error

    def _round(self, now_s: float) -> None:
        try:
            look = self._own.look(now_s)
            self._look, self._looked_s = look, now_s
            if look.writer == self._settings.name:
                self._wrote_s = now_s
            self._note_declared(look)
            self._say_unsettled()
            self._say_room(has_room=look.room)
            seen = self._seen(look, self._peers.told(now_s), now_s)
            step = self._pace.allowed(next_step(seen), now_s)
            self._say(step)
            self._carry_out(step, look, now_s)
        except ServerFailed as error:
            self._say(Rest(str(error)))
        except OSError as error:
            # A keeper that died of a full disk would not answer while it starts anew, and HAProxy would
            # end the users' sessions each time. What the step was to do after it was not done.
            self._say(Rest(f"the keeper's files cannot be read or written: {error}"))

    def _note_declared(self, look: Look) -> None:
        """Have the declaration as the mark says: to write or to remove it may have failed half-way.

        What was asked before the mark was seen here, or before it was there anew, does not count.
        """
        if not look.report.founding:
            self._declared_s = None
        elif self._declared_s is None:
            self._declared_s = time.monotonic()

    def _seen(self, look: Look, told: dict[str, Told | None], now_s: float) -> Seen:
        everyone = [look.report, *(said.words.report for said in told.values() if said)]
        is_quiet = None not in told.values() and all(said.phase not in PRIMARY for said in everyone)
        quiet_s, phase_s = self._pace.clocks(look.report.phase, now_s, is_quiet=is_quiet)
        return Seen(
            self._settings.name,
            look.report,
            heard(told, self._declared_s),
            remembers_view=look.report.phase is Phase.STOPPED and self._own.remembers_view(),
            quiet_s=quiet_s,
            phase_s=phase_s,
            member=self._own.member,
        )

    def _carry_out(self, step: Step, look: Look, now_s: float) -> None:
        self._own.do(step, look, now_s)
        match step:
            case Declare():
                self._declared_s = time.monotonic()
                self._look = replace(look, report=replace(look.report, founding=True))
            case Join() | Await() | Found():
                # Whoever asks before the next look must not hear that MariaDB is at rest.
                self._look = replace(look, report=replace(look.report, phase=Phase.STARTING))
            case Settle():
                self._declared_s = None
            case _:
                pass

    def _say(self, step: Step) -> None:
        text = step.reason if isinstance(step, Rest) else repr(step)
        why = self._own.why_broken
        text = f"{text} ({why})" if why else text
        if text != self._reason:
            _log(f"{self._look.report.phase.value}: {text or 'all is well'}")
        self._reason = text

    def _say_unsettled(self) -> None:
        why = self._own.why_unsettled
        if why != self._unsettled:
            _log(f"the group's view is {f'not remembered: {why}' if why else 'remembered again'}")
        self._unsettled = why

    def _say_room(self, *, has_room: bool) -> None:
        if has_room != self._has_room:
            rest = (
                "has room again" if has_room else "has no room: another server is to be the writer"
            )
            _log(f"the disk of the data {rest}")
        self._has_room = has_room

    def _ask(self, name: str) -> None:
        """Ask one peer, again and again."""
        while not self._end.wait(ASK_EACH_S):
            asked_s = time.monotonic()
            declared_s = self._declared_s
            founding = declared_s is not None
            try:
                said = talk.ask(
                    self._settings, self._key, name, founding=founding, within_s=ANSWER_WITHIN_S
                )
                told = Told(words.hear(said), asked_s, time.monotonic(), founding)
            except (talk.NoWord, words.NotUnderstood):
                continue
            self._peers.note(name, told)

    def _name_writer(self) -> None:
        """Name this server the writer where nobody else is."""
        mariadb = MariaDB(within_s=NAME_WITHIN_S)
        while not self._end.wait(ROUND_S):
            look, now_s = self._look, time.monotonic()
            named_s = self._pace.named_s(look.writer, now_s)
            roles = writer.Roles(
                self._settings.name,
                look.view,
                look.writer,
                named_s,
                self._peers.silent_s(now_s),
                self._peers.cramped(now_s) | (frozenset() if look.room else {self._settings.name}),
            )
            if look.report.phase is not Phase.MEMBER or not writer.wants(roles):
                continue
            try:
                for statement in writer.naming(roles, has_table=look.has_table):
                    mariadb.ask(statement)
                _log(f"writer {self._settings.name} after={look.writer}")
            except (NoAnswer, Refused) as error:
                _log(f"could not become the writer: {error}")

    def _words(self) -> Words:
        look = self._look
        return Words(
            self._settings.name,
            look.report,
            self._reason,
            look.view,
            look.size,
            look.writer,
            look.since,
            room=look.room,
        )

    def _body(self) -> dict[str, Json]:
        told = self._peers.told(time.monotonic())
        peers: dict[str, Json] = {
            name: None if said is None else words.say(said.words) for name, said in told.items()
        }
        others = [None if said is None else said.words for said in told.values()]
        whole = words.is_whole(self._words(), self._settings, others)
        return {**words.say(self._words()), "whole": whole, "peers": peers}


def _renew(listener: socket.socket) -> None:
    """Go on as a new process with the program and settings as they are now, on the same socket."""
    os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 # its only form
    os.environ[LISTENER] = str(listener.fileno())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 # itself


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
