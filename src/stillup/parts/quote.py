"""Quotes a word the way each engine reads it, so that no value can end its own quotes.

All of these refuse control characters: no engine here can hold a line break in a quoted word,
and the farm file and the secrets file have none.
"""


def ini(word: str) -> str:
    """Quote for PHP-FPM's pool files: raw in single quotes, where nothing has a meaning.

    Raises:
        ValueError: If it holds a single quote, which that syntax cannot say, or a control
            character.
    """
    if "'" in word:
        raise ValueError("a value for PHP's configuration cannot hold a single quote")
    return f"'{_printable(word)}'"


def haproxy(word: str) -> str:
    """Quote for HAProxy: strong quotes; a single quote ends them, is escaped, begins them again.

    Source: HAProxy configuration manual, 2.2 "Quoting and escaping".
    """
    return "'" + _printable(word).replace("'", "'\\''") + "'"


def nginx(word: str) -> str:
    """Quote for nginx: double quotes, with what has a meaning in them escaped.

    Raises:
        ValueError: If it holds a ``$``, which nginx has no way to say in a path.
    """
    if "$" in word:
        raise ValueError("a value for nginx's configuration cannot hold a dollar sign")
    return '"' + _printable(word).replace("\\", "\\\\").replace('"', '\\"') + '"'


def sql_string(word: str) -> str:
    """Quote as an SQL string (MariaDB, whatever its sql_mode)."""
    if "\\" in word:
        raise ValueError("a value for the database's set-up cannot hold a backslash")
    return "'" + _printable(word).replace("'", "''") + "'"


def sql_name(word: str) -> str:
    """Quote as the name of a database or table."""
    return "`" + _printable(word).replace("`", "``") + "`"


def _printable(word: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in word):
        raise ValueError("a configuration value cannot hold a control character")
    return word
