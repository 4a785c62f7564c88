"""The errors raised on purpose: one sentence each, an exit code each.

A failure of the world (a server that does not answer, a disk that is full) is
translated into one of these once, at the border where it is met, and shown once,
by the command line. Problems in what the user wrote are values, not errors; see
``stillup.model.problems``. This module runs on the servers too: standard library only.
"""

from typing import ClassVar

EXIT_DONE = 0
EXIT_WORLD = 1
EXIT_INPUT = 2
EXIT_PROMISE = 3


class StillupError(Exception):
    """A failure that was foreseen; its text is one sentence for the user.

    The text names the server or the file, what happened and the way out. It never
    holds a secret.
    """

    exit_code: ClassVar[int] = EXIT_WORLD
    code: ClassVar[str] = "failed"


class InputRefused(StillupError):
    """The farm file, the secrets file or the arguments are wrong."""

    exit_code: ClassVar[int] = EXIT_INPUT
    code: ClassVar[str] = "input-refused"


class ServerUnreachable(StillupError):
    """No session to a server: no route, refused, timed out, dropped."""

    code: ClassVar[str] = "server-unreachable"


class ServerRefused(StillupError):
    """A server was reached, but not let in: wrong host key, wrong key, no sudo."""

    code: ClassVar[str] = "server-refused"


class ServerFailed(StillupError):
    """A server was reached and could not do what it was asked."""

    code: ClassVar[str] = "server-failed"


class ChangeRefused(StillupError):
    """A change was not begun: locked, changed by hand, or it would stop the farm."""

    code: ClassVar[str] = "change-refused"


class ChangeTakenBack(StillupError):
    """A change was begun, did not come to health, and what was there before is back."""

    code: ClassVar[str] = "change-taken-back"


class LabFailed(StillupError):
    """The lab could not do what it was asked: a missing tool or feature, a full disk."""

    code: ClassVar[str] = "lab-failed"


class BackupFailed(StillupError):
    """A backup was not made, or cannot be reached; those of before are as they were."""

    code: ClassVar[str] = "backup-failed"


class BackupBroken(StillupError):
    """A backup was found not to be what was put there, or not to be restorable."""

    code: ClassVar[str] = "backup-broken"


class DrillFailed(StillupError):
    """A drill could not be played: its workload died, its pages could not be put in place."""

    code: ClassVar[str] = "drill-failed"


class PromiseBroken(StillupError):
    """A promise of the farm file was measured and found broken."""

    exit_code: ClassVar[int] = EXIT_PROMISE
    code: ClassVar[str] = "promise-broken"
