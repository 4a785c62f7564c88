"""The answers of a server's ``state`` and ``ask`` operations, as values.

The server runs the code that this controller sent it, so the form is known; an answer of
another form is a bug of ours, told as ``ServerFailed`` with the place in the answer.
"""

from base64 import b64decode
from collections.abc import Mapping

from stillup.errors import ServerFailed
from stillup.node.bundle import Facts
from stillup.node.message import Json, JsonObject
from stillup.status.observed import (
    Asked,
    Backend,
    Database,
    DatabaseCopy,
    Disk,
    Heartbeat,
    Reached,
    SharedFiles,
)

SITE = "site"
"""The name of the HAProxy backend that holds the web servers."""


def reached(name: str, answer: JsonObject, *, asked_at_s: float, took_s: float) -> Reached:
    """Return what a server's ``state`` says.

    Args:
        name: The server's name in the farm file.
        answer: The result of ``state``.
        asked_at_s: When it was asked, in seconds since 1970 by our clock.
        took_s: How long the answer took; the server's clock was read somewhere in it.

    Raises:
        ServerFailed: If the answer has another form than expected.
    """
    told = _Told(name, answer)
    manifest = told.inner("manifest")
    return Reached(
        name=name,
        units={unit: str(state) for unit, state in (told.mapping("units") or {}).items()},
        load=told.number("load"),
        disks=_disks(told),
        uptime_s=told.number("uptime_s"),
        heartbeat=_heartbeat(told.inner("heartbeat")),
        backends=_backends(told),
        database=_database(told.inner("database")),
        database_copy=_database_copy(told.inner("copies")),
        firewall=told.answer.get("firewall") is not False,
        release=told.text_or_none("release"),
        applied_at_s=manifest.number_or_none("at") if manifest is not None else None,
        bundle=manifest.text_or_none("bundle") if manifest is not None else None,
        unfinished=told.answer.get("unfinished") is True,
        clock_ahead_s=told.number("clock") - asked_at_s - took_s / 2,
        took_s=took_s,
        files_copy=_shared_files(told.inner("copies"), "storage"),
        files_mount=_shared_files(told, "shared"),
    )


def facts(name: str, answer: JsonObject) -> Facts:
    """Return what a server's ``facts`` says.

    Raises:
        ServerFailed: If the answer has another form than expected.
    """
    told = _Told(name, answer)
    return Facts(
        debian=int(told.number("debian")),
        php=told.text("php"),
        interface=told.text("interface"),
        python=told.text("python"),
        ssh_port=int(told.number("ssh_port")),
        filters=answer.get("filters") is not False,
    )


def asked(by: str, url: str, answer: JsonObject, *, at_s: float) -> Asked:
    """Return what ``ask`` says of one request made on the server ``by``.

    Args:
        by: The server that asked.
        url: What it asked for.
        answer: The result of ``ask``.
        at_s: Now, in seconds since 1970; how long the certificate is valid counts from here.

    Raises:
        ServerFailed: If the answer has another form than expected.
    """
    told = _Told(by, answer)
    status = told.number_or_none("status")
    return Asked(
        by=by,
        url=url,
        status=int(status) if status is not None else None,
        took_s=told.number("seconds"),
        error=told.text_or_none("error") or "",
        balancer=told.text_or_none("balancer"),
        expires_in_s=_expires_in_s(told.text_or_none("certificate"), at_s),
    )


def _expires_in_s(certificate: str | None, at_s: float) -> float | None:
    if certificate is None:
        return None
    from cryptography.x509 import load_der_x509_certificate

    shown = load_der_x509_certificate(b64decode(certificate))
    return shown.not_valid_after_utc.timestamp() - at_s


def _heartbeat(told: "_Told | None") -> Heartbeat | None:
    if told is None:
        return None
    voters = told.mapping("voters") or {}
    vips = told.objects("vips")
    return Heartbeat(
        healthy=told.answer.get("healthy") is True,
        candidate=told.answer.get("candidate") is True,
        reason=told.text_or_none("reason") or "",
        holding=tuple(str(address) for address in told.listing("holding") or ()),
        believed={
            address: name if isinstance(name, str) else None
            for address, name in (told.mapping("holder") or {}).items()
        },
        since_s={vip.text("address"): vip.number_or_none("since_s") for vip in vips},
        heard_ms={
            voter: _Told(told.server, said).number_or_none("heard_ms")
            for voter, said in voters.items()
            if isinstance(said, dict)
        },
        warnings=tuple(map(str, told.listing("warnings") or ())),
        moved_at_s=max((_moved_at_s(vip) for vip in vips), key=len, default=()),
    )


def _moved_at_s(vip: "_Told") -> tuple[float, ...]:
    return tuple(move.number("at") for move in vip.objects("moves"))


def _backends(told: "_Told") -> dict[str, Backend] | None:
    rows = told.listing("haproxy")
    if rows is None:
        return None
    found = [_Told(told.server, row) for row in rows if isinstance(row, dict)]
    return {
        row.text_or_none("server") or "": Backend(
            status=row.text_or_none("status") or "",
            drained=row.answer.get("drain") is True,
            drained_by=row.text_or_none("drained_by"),
            check=row.text_or_none("check") or "",
        )
        for row in found
        if row.text_or_none("backend") == SITE
    }


def _disks(told: "_Told") -> tuple[Disk, ...]:
    found = tuple(
        Disk(
            disk.text("path"),
            int(disk.number("free")),
            int(disk.number("size")),
            read_only=disk.answer.get("read_only") is True,
        )
        for disk in told.objects("disks")
    )
    if not found:
        raise told.unknown("disks", told.answer.get("disks"))
    return found


def _shared_files(told: "_Told | None", key: str) -> SharedFiles | None:
    inner = told.inner(key) if told is not None else None
    if inner is None:
        return None
    size = inner.number_or_none("size")
    return SharedFiles(inner.answer.get("well") is True, inner.text("why"), int(size or 0))


def _database(told: "_Told | None") -> Database | None:
    if told is None:
        return None
    return Database(told.answer.get("up") is True, told.text_or_none("reason") or "")


def _database_copy(copies: "_Told | None") -> DatabaseCopy | None:
    told = copies.inner("database") if copies is not None else None
    if told is None:
        return None
    return DatabaseCopy(
        well=told.answer.get("well") is True,
        why=told.text("why"),
        leads=told.answer.get("leads") is True,
        size=int(told.number("size")),
    )


class _Told:
    """A JSON object from a server, read with the types that are expected in it."""

    def __init__(self, server: str, answer: JsonObject) -> None:
        self.server = server
        self.answer = answer

    def number(self, key: str) -> float:
        value = self.number_or_none(key)
        if value is None:
            raise self.unknown(key, None)
        return value

    def number_or_none(self, key: str) -> float | None:
        match self.answer.get(key):
            case None:
                return None
            case bool() as value:
                raise self.unknown(key, value)
            case int() | float() as value:
                return float(value)
            case value:
                raise self.unknown(key, value)

    def objects(self, key: str) -> "list[_Told]":
        """Return the objects of a list; what is none is left out."""
        found = self.listing(key) or ()
        return [_Told(self.server, each) for each in found if isinstance(each, dict)]

    def text(self, key: str) -> str:
        value = self.text_or_none(key)
        if value is None:
            raise self.unknown(key, None)
        return value

    def text_or_none(self, key: str) -> str | None:
        match self.answer.get(key):
            case None:
                return None
            case str() as value:
                return value
            case value:
                raise self.unknown(key, value)

    def mapping(self, key: str) -> Mapping[str, Json] | None:
        match self.answer.get(key):
            case None:
                return None
            case dict() as value:
                return value
            case value:
                raise self.unknown(key, value)

    def listing(self, key: str) -> list[Json] | None:
        match self.answer.get(key):
            case None:
                return None
            case list() as value:
                return value
            case value:
                raise self.unknown(key, value)

    def inner(self, key: str) -> "_Told | None":
        value = self.mapping(key)
        return _Told(self.server, dict(value)) if value is not None else None

    def unknown(self, key: str, value: Json) -> ServerFailed:
        return ServerFailed(
            f"{self.server} told its state in a form that is not known here: {key} is {value!r}; "
            "report this as a fault of stillup"
        )
