"""The words of a farm file: names, roles, paths.

Each reader takes the text from the file and returns its value, or raises ``ValueRefused``
with a sentence that holds the value and the way out. Most values end up in the files of
HAProxy, nginx, PHP or systemd, so the alphabets are those that need no quoting there.
"""

import re

from stillup.model.farm import Balance, Role
from stillup.model.problems import joined, nearest, shown
from stillup.model.refused import ValueRefused

_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_COOKIE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,64}")
_CHECK = re.compile(r"/[A-Za-z0-9._~/-]{0,200}(\?[A-Za-z0-9._~/=&-]{1,200})?")
_INSIDE = re.compile(r"[A-Za-z0-9._/-]{1,200}")
_MOUNT = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}){2,8}")
_DATABASE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_DATABASE_USER = re.compile(r"[A-Za-z0-9_]{1,32}")
_FAULT = re.compile(r"(?=.*[a-z])[a-z0-9+%* -]{1,2000}")
_LOGIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

_MOST_PATH_CHARACTERS = 4000
_SYSTEM_DATABASES = frozenset({"mysql", "sys", "information_schema", "performance_schema"})
_SYSTEM_ACCOUNTS = frozenset({"root", "mysql", "public", "mariadb"})


def label(text: str) -> str:
    """Return a farm's or server's name: what can be a host name, a file name, a HAProxy name.

    Raises:
        ValueRefused: ``bad-name``.
    """
    if text == "localhost":
        told = '"localhost" is every server\'s name for itself; choose another'
        raise ValueRefused("bad-name", told)
    if _LABEL.fullmatch(text) is None:
        told = (
            f"{shown(text)} cannot be a host name; write 1 to 32 small letters, digits and "
            "hyphens, the first a letter, the last no hyphen"
        )
        raise ValueRefused("bad-name", told)
    return text


def role(text: str) -> Role:
    """Return the role of that name.

    Raises:
        ValueRefused: ``unknown-role``.
    """
    if text not in list(Role):
        told = f"{shown(text)} is not a role{_meant(text, list(Role))}"
        raise ValueRefused("unknown-role", told)
    return Role(text)


def balance(text: str) -> Balance:
    """Return the way to balance of that name.

    Raises:
        ValueRefused: ``unknown-balance``.
    """
    if text not in list(Balance):
        told = f"{shown(text)} is not a way to balance{_meant(text, list(Balance))}"
        raise ValueRefused("unknown-balance", told)
    return Balance(text)


def _meant(word: str, known: list[Role] | list[Balance]) -> str:
    meant = nearest(word, known)
    if meant:
        return f"; did you mean {shown(meant)}?"
    return f"; write {joined([shown(str(choice)) for choice in known], 'or')}"


def cookie(text: str) -> str:
    """Return a cookie's name as PHP (session.name) and HAProxy both take it.

    Raises:
        ValueRefused: ``bad-cookie``.
    """
    if _COOKIE.fullmatch(text) is None:
        told = (
            f"{shown(text)} cannot name PHP's session cookie; write 1 to 64 letters, digits, _ "
            'and -, not digits alone, as "PHPSESSID"'
        )
        raise ValueRefused("bad-cookie", told)
    return text


def check_path(text: str) -> str:
    """Return the path and query of a health page.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if _CHECK.fullmatch(text) is None or "/../" in f"{text}/":
        told = (
            f"{shown(text)} is not the path of a page; begin with / and write letters, digits "
            'and ._~/-, with or without a query, as "/health"'
        )
        raise ValueRefused("bad-path", told)
    return text


def inside_path(text: str) -> str:
    """Return a path that stays inside the folder it starts from.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if _INSIDE.fullmatch(text) is None or text.startswith("/") or ".." in text.split("/"):
        told = (
            f"{shown(text)} is not a folder inside the site; write letters, digits and ._/-, "
            'not from / and without .., as "public"'
        )
        raise ValueRefused("bad-path", told)
    return text


def shared_folder(text: str) -> str:
    """Return a folder of the site in its plain form: no ``/`` at the end, no ``.`` on the way.

    Raises:
        ValueRefused: ``bad-path``.
    """
    return "/".join(part for part in inside_path(text).split("/") if part not in {"", "."}) or "."


def mount_point(text: str) -> str:
    """Return the folder at which the web servers have the shared storage.

    Whatever is there already would be hidden below the mount, so it is no folder of the system
    and none of stillup's own.

    Raises:
        ValueRefused: ``bad-mount``.
    """
    if _MOUNT.fullmatch(text) is None:
        told = (
            f"{shown(text)} cannot be the mount; write the path of a folder in another one, from / "
            'on, of letters, digits and ._-, as "/srv/shared"'
        )
        raise ValueRefused("bad-mount", told)
    taken = next((path for path in _TAKEN if f"{text}/".startswith(f"{path}/")), None)
    if taken is not None:
        told = f'{shown(text)} is in {taken}, which has other uses; take another, as "/srv/shared"'
        raise ValueRefused("bad-mount", told)
    return text


_TAKEN = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root"),
    *("/run", "/sbin", "/sys", "/tmp", "/usr", "/var/cache", "/var/lib", "/var/log"),  # noqa: S108
    *("/var/run", "/var/spool", "/var/tmp", "/srv/site", "/srv/stillup"),  # noqa: S108 - none is written to
)


def backup_text(text: str) -> str:
    """Return a word of ``[backup]``: not empty, printable, on one line.

    Raises:
        ValueRefused: ``bad-backup``.
    """
    if not text.strip() or not text.isprintable() or len(text) > _MOST_PATH_CHARACTERS:
        told = f"{shown(text)} is empty, too long, or has characters that do not print"
        raise ValueRefused("bad-backup", told)
    return text


def fault_words(text: str) -> str:
    """Return the name of a fault or of a set of faults, or a pattern of names.

    Raises:
        ValueRefused: ``bad-fault``.
    """
    if _FAULT.fullmatch(text) is None:
        told = f'{shown(text)} is no fault; write one as `stillup drill --list` does, as "power-off web*"'
        raise ValueRefused("bad-fault", told)
    return text


def local_path(text: str) -> str:
    """Return a path on the machine that stillup runs on.

    Raises:
        ValueRefused: ``bad-path``.
    """
    if not text.strip():
        raise ValueRefused("bad-path", "is empty; write the path of a file or folder")
    if not text.isprintable() or len(text) > _MOST_PATH_CHARACTERS:
        told = f"{shown(text)} is not a path; it is too long or has characters that do not print"
        raise ValueRefused("bad-path", told)
    return text


def database_name(text: str) -> str:
    """Return a database's name.

    Raises:
        ValueRefused: ``bad-database-name``.
    """
    return _database_word(text, "a database", _DATABASE_NAME, _SYSTEM_DATABASES)


def database_user(text: str) -> str:
    """Return a database account's name.

    Raises:
        ValueRefused: ``bad-database-name``.
    """
    return _database_word(text, "an account", _DATABASE_USER, _SYSTEM_ACCOUNTS)


def _database_word(text: str, what: str, form: re.Pattern[str], taken: frozenset[str]) -> str:
    if form.fullmatch(text) is None:
        most = 64 if form is _DATABASE_NAME else 32
        told = f"{shown(text)} cannot name {what}; write 1 to {most} letters, digits and _"
        raise ValueRefused("bad-database-name", told)
    if text.lower() in taken:
        told = f"{shown(text)} is MariaDB's own; choose another name"
        raise ValueRefused("bad-database-name", told)
    return text


def login(text: str) -> str:
    """Return a Linux account's name.

    Raises:
        ValueRefused: ``bad-user``.
    """
    if _LOGIN.fullmatch(text) is None:
        told = f'{shown(text)} is not an account\'s name, as "root" or "deploy"'
        raise ValueRefused("bad-user", told)
    return text
