"""What a test reads in a bundle as it is sent to a server."""

import re

from stillup.node.message import Json, JsonObject
from stillup.parts.database import ACCOUNT, native_hash


def accounts_of(bundle: Json) -> tuple[str, bool]:
    """Return the account (its name and password's hash) in a bundle; whether old ones are kept.

    On the database server from the SQL that makes it, on a web server from its pages' settings.
    """
    assert isinstance(bundle, dict)
    for command in objects(bundle["commands"]):
        if command["name"] == ACCOUNT:
            sql = str(command["stdin"])
            made = re.search(r"CREATE USER IF NOT EXISTS '(\w+)'@.* USING '(.*)'", sql)
            assert made
            return f"{made[1]} {made[2]}", "JSON_TABLE" in sql
    for path, text in files(bundle).items():
        if path.endswith("site-env.conf"):
            env = dict(re.findall(r"env\[(\w+)\] = '(.*)'", text))
            return f"{env['DB_USER']} {native_hash(env['DB_PASSWORD'])}", False
    return "", False


def files(bundle: Json) -> dict[str, str]:
    if not isinstance(bundle, dict):
        return {}
    return {str(file["path"]): str(file["text"]) for file in objects(bundle["files"])}


def concerns(word: str, paths: list[str]) -> bool:
    return any(path.startswith(word) if word.endswith("/") else path == word for path in paths)


def listed(data: Json) -> list[Json]:
    assert isinstance(data, list)
    return data


def objects(data: Json) -> list[JsonObject]:
    return [item for item in listed(data) if isinstance(item, dict)]
