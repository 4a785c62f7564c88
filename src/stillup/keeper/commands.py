"""What a person, or ``stillup apply``, says to the keeper on its own server: acting."""

import argparse
import json
import sys
import time
from collections.abc import Callable

from stillup.errors import EXIT_DONE, EXIT_WORLD, ServerFailed
from stillup.keeper import loss, settings, standing, systemd, talk, writer
from stillup.keeper.data_folder import Marks
from stillup.keeper.mariadb import MariaDB, NoAnswer, Refused
from stillup.keeper.seen import Phase
from stillup.keeper.settings import Json, Settings

ANSWER_S = 2.0
STATEMENT_S = 10.0
EACH_S = 0.2
CONNECTIONS = (
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST "
    "WHERE USER NOT IN ('system user', 'event_scheduler') AND HOST LIKE '%:%'"
)
"""How many come over the network: the site's, and nobody else's."""


def state(arguments: argparse.Namespace) -> int:
    """Print the state as JSON."""
    sys.stdout.write(json.dumps(_state(settings.load(arguments.config)), indent=2) + "\n")
    return EXIT_DONE


def ready(arguments: argparse.Namespace) -> int:
    """Wait until this server is an up-to-date member."""
    told = settings.load(arguments.config)

    def is_ready() -> bool:
        said = _state(told)
        return said["usable"] is True and (said["whole"] is True or not arguments.whole)

    what = "the database is not whole" if arguments.whole else "this server is not a member"
    if not _wait(is_ready, arguments.within):
        raise ServerFailed(f"{what} after {arguments.within:.0f} s: {_why(told)}")
    return EXIT_DONE


def give_up(arguments: argparse.Namespace) -> int:
    """Name another server the writer, if this one is it."""
    told = settings.load(arguments.config)
    said = _state(told)
    if said["writer"] != told.name:
        return EXIT_DONE
    others = said["peers"]
    usable = [
        (words.get("room") is False, name)
        for name, words in (others.items() if isinstance(others, dict) else ())
        if isinstance(words, dict) and words["usable"] is True
    ]
    if not usable:
        raise ServerFailed(
            "no other database server is an up-to-date member: none can be the writer"
        )
    _, successor = min(usable)
    _name(told.name, successor)
    # Before that new connections still come, however few are open now.
    ended_s = time.monotonic() + writer.HANDS_OVER_S + writer.SEEN_S
    mariadb = MariaDB(within_s=STATEMENT_S)
    if not _wait(lambda: time.monotonic() > ended_s and _count(mariadb) == 0, arguments.within):
        raise ServerFailed(
            f"{successor} is the writer, and {_count(mariadb)} connections are still open here "
            f"after {arguments.within:.0f} s"
        )
    return EXIT_DONE


def take(arguments: argparse.Namespace) -> int:
    """Name this server the writer."""
    told = settings.load(arguments.config)

    def is_named() -> bool:
        said = _state(told)
        if (
            said["usable"] is True
            and isinstance(said["writer"], str)
            and said["writer"] != told.name
        ):
            _name(said["writer"], told.name)
        return said["usable"] is True and said["writer"] == told.name

    if not _wait(is_named, arguments.within):
        raise ServerFailed(f"not the writer after {arguments.within:.0f} s: {_why(told)}")
    return EXIT_DONE


def restart(arguments: argparse.Namespace) -> int:
    """Take MariaDB's new settings into use."""
    end_s = time.monotonic() + arguments.within
    told = settings.load(arguments.config)
    try:
        give_up(arguments)
    except ServerFailed as error:
        # The only one there is, or open connections: the restart is wanted all the same.
        sys.stderr.write(f"stillup-keeper: {error}\n")
    systemd.stop(hard=False)
    if not _wait(lambda: systemd.state() in ("inactive", "failed"), end_s - time.monotonic()):
        raise ServerFailed("MariaDB did not stop in time")
    # The keeper sees that it does not run, and starts it as is right now.
    if not _wait(lambda: _state(told)["usable"] is not True, end_s - time.monotonic()):
        raise ServerFailed("the keeper does not see that MariaDB was stopped")
    arguments.within, arguments.whole = max(1.0, end_s - time.monotonic()), False
    return ready(arguments)


def leave(arguments: argparse.Namespace) -> int:
    """End MariaDB without a word if this server is the last with data in its group.

    Leaving in order takes a server out of the group's memory. The last one would leave nothing, or
    the arbiter alone, and after that nobody could say for sure that nobody went further. Without a
    word, it and the arbiter remember one another, and are a majority when it is back.
    """
    told = settings.load(arguments.config)
    try:
        rows = MariaDB(within_s=ANSWER_S).ask(standing.STATUS).rows
    except (NoAnswer, Refused):
        return EXIT_DONE
    now = standing.standing({str(n): v or "" for n, v in rows}, told.addresses)
    if now.phase in (Phase.MEMBER, Phase.JOINING) and now.view == (told.name,):
        systemd.kill()
    return EXIT_DONE


def birth(_: argparse.Namespace) -> int:
    """Mark this server to found the database."""
    marks = Marks()
    if marks.member()[0]:
        raise ServerFailed("this server was a member of a database already: nothing is to be born")
    marks.write("birth")
    return EXIT_DONE


def born(_: argparse.Namespace) -> int:
    """Say by the exit code whether this server was ever a member."""
    return EXIT_DONE if Marks().member()[0] else EXIT_WORLD


def bootstrap(arguments: argparse.Namespace) -> int:
    """Say what would be lost, and do it if forced."""
    told = settings.load(arguments.config)
    said = _state(told)
    refused, lines = loss.told(said)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if refused:
        raise ServerFailed(refused)
    if arguments.force:
        marks = Marks()
        if not marks.has("force"):  # one that is there may say where the old history ended
            marks.write("force")
        sys.stdout.write("this server's data become the farm's; `state` shows how far it is\n")
    else:
        sys.stdout.write("nothing was done; with --force it is done\n")
    return EXIT_DONE


def _state(told: Settings) -> dict[str, Json]:
    try:
        key = settings.load_key(told.key_file)
        return talk.ask(told, key, told.name, founding=False, within_s=ANSWER_S)
    except talk.NoWord as error:
        raise ServerFailed(f"the keeper does not answer: {error}") from error


def _why(told: Settings) -> str:
    said = _state(told)
    return f"{said['phase']}: {said['reason'] or 'its members: ' + str(said['size'])}"


def _name(old: str, new: str) -> None:
    try:
        MariaDB(within_s=STATEMENT_S).ask(writer.change(old, new))
    except (NoAnswer, Refused) as error:
        raise ServerFailed(f"{new} could not be named the writer: {error}") from error


def _count(mariadb: MariaDB) -> int:
    try:
        return int(mariadb.ask(CONNECTIONS).rows[0][0] or 0)
    except (NoAnswer, Refused) as error:
        raise ServerFailed(f"the open connections cannot be counted: {error}") from error


def _wait(is_so: Callable[[], bool], within_s: float) -> bool:
    """Wait until it is so; nothing tells, so it is asked five times a second."""
    end_s = time.monotonic() + within_s
    while True:
        try:
            if is_so():
                return True
            problem = None
        except ServerFailed as error:
            problem = error
        if time.monotonic() > end_s:
            if problem is not None:
                raise problem
            return False
        time.sleep(EACH_S)
