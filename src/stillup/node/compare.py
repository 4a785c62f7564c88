"""What differs between what a server should have and what it has (pure).

A difference is *by hand* when somebody else's work would be lost by it: a path that we
manage and that is not as we left it, or one that we never managed and that is not as its
Debian package left it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stillup.node.bundle import IF_THERE, Absent, Bundle, Directory, File, Link, Unit, User
from stillup.node.diff import Content, difference
from stillup.node.disk import sha256
from stillup.node.journal import Journal
from stillup.node.manifest import Manifest, Stamp, link_stamp
from stillup.node.message import JsonObject
from stillup.node.observed import Observed, Seen, SeenFile, SeenFolder, SeenLink, SeenUnit

SYSCTL_FILE = "/etc/sysctl.d/90-stillup.conf"
UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; see ``stillup.node.session`` for the words."""

    kind: str
    name: str
    action: str
    diff: str | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of our own earlier work here."""

    manifest: Manifest | None = None
    journal: Journal | None = None

    def stamps(self, path: str) -> tuple[Stamp, ...]:
        """Return every state in which we may have left ``path``; none if it is not ours."""
        applied = self.manifest.paths.get(path) if self.manifest else None
        planned = self.journal.planned.get(path, ()) if self.journal else ()
        return (*planned, applied) if applied else planned

    def paths(self) -> frozenset[str]:
        """Return every path that is or may be ours."""
        applied = self.manifest.paths.keys() if self.manifest else ()
        planned = self.journal.planned.keys() if self.journal else ()
        return frozenset([*applied, *planned])

    def units(self) -> tuple[str, ...]:
        """Return every unit that is or may be ours."""
        applied = self.manifest.units if self.manifest else ()
        planned = self.journal.units if self.journal else ()
        return tuple(dict.fromkeys([*applied, *planned]))

    def sysctls(self) -> Mapping[str, str]:
        """Return each sysctl that we set, with its value before we first did."""
        journal = self.journal.sysctls if self.journal else {}
        return {**journal, **(self.manifest.sysctls if self.manifest else {})}


def as_json(change: Change) -> JsonObject:
    """Return a change as the session tells it."""
    return {
        "kind": change.kind,
        "name": change.name,
        "action": change.action,
        "diff": change.diff,
        "by_hand": change.by_hand,
    }


def wanted_paths(bundle: Bundle) -> dict[str, File | Link | Absent]:
    """Return every single path the bundle speaks of, with the file that keeps its sysctls."""
    items: list[File | Link | Absent] = [*bundle.files, *bundle.links, *bundle.absent]
    if bundle.sysctls:
        lines = "".join(f"{key} = {value}\n" for key, value in bundle.sysctls)
        items.append(File(SYSCTL_FILE, f"# Written by stillup; changes here are lost.\n{lines}"))
    return {item.path: item for item in items}


def differences(bundle: Bundle, observed: Observed, known: Known) -> tuple[Change, ...]:
    """Return everything that an apply would do, in the order it would do it."""
    files = [*_path_changes(bundle, observed, known)]
    touched = touched_paths(files, known)
    return (
        *_package_changes(bundle, observed),
        *_user_changes(bundle, observed),
        *_directory_changes(bundle, observed),
        *_sysctl_changes(bundle, observed, known),
        *files,
        *_command_changes(bundle, observed),
        *_unit_changes(bundle, observed, known, touched),
    )


@dataclass(frozen=True, slots=True)
class Touched:
    """The paths whose change units and checks have to take notice of."""

    paths: frozenset[str]
    everything: bool = False

    def hits(self, patterns: Iterable[str]) -> bool:
        """Tell whether one of ``patterns`` is touched; one that ends in / means all below it."""
        patterns = tuple(patterns)
        if self.everything:
            return bool(patterns)
        return any(
            path == pattern or (pattern.endswith("/") and path.startswith(pattern))
            for pattern in patterns
            for path in self.paths
        )


def touched_paths(changes: Iterable[Change], known: Known) -> Touched:
    """Return what changes now, and what an interrupted change may have changed before."""
    now = {change.name for change in changes if change.kind in {"file", "link", "absent"}}
    if known.journal is None:
        return Touched(frozenset(now))
    return Touched(frozenset(now | known.journal.planned.keys()), known.journal.damaged)


def _package_changes(bundle: Bundle, observed: Observed) -> Iterator[Change]:
    for name in bundle.packages:
        if name not in observed.packages:
            yield Change("package", name, "add")


def _user_changes(bundle: Bundle, observed: Observed) -> Iterator[Change]:
    for user in bundle.users:
        account = observed.accounts.get(user.name)
        if account is None:
            yield Change("user", user.name, "add")
        elif wrong := wrong_in_account(user, observed):
            yield Change("user", user.name, "change", wrong)


def wrong_in_account(user: User, observed: Observed) -> str:
    """Return what differs in an account that exists, as text; empty if nothing does."""
    account = observed.accounts[user.name]
    wrong = []
    if account.home != user.home:
        wrong.append(f"home {account.home} -> {user.home}")
    if account.shell != user.shell:
        wrong.append(f"shell {account.shell} -> {user.shell}")
    if missing := sorted(set(user.groups) - account.groups):
        wrong.append(f"groups + {' '.join(missing)}")
    return "; ".join(wrong)


def _directory_changes(bundle: Bundle, observed: Observed) -> Iterator[Change]:
    for wanted in bundle.directories:
        seen = observed.directories.get(wanted.path)
        if seen is None:
            yield Change("directory", wanted.path, "add")
        elif not isinstance(seen, SeenFolder):
            yield Change("directory", wanted.path, "change", "not a folder", by_hand=True)
        elif _owner(seen) != _owner(wanted):
            diff = f"{_owner(seen)} -> {_owner(wanted)}"
            yield Change("directory", wanted.path, "change", diff)


def _owner(item: SeenFolder | SeenFile | Directory | File) -> str:
    return f"{item.mode:04o} {item.owner}:{item.group}"


def _sysctl_changes(bundle: Bundle, observed: Observed, known: Known) -> Iterator[Change]:
    wanted = dict(bundle.sysctls)
    for key, value in wanted.items():
        now = observed.sysctls.get(key)
        if now is None and key.startswith(IF_THERE):
            continue
        if now is None:
            yield Change("sysctl", key, "add", f"-> {value}")
        elif now.split() != value.split():
            yield Change("sysctl", key, "change", f"{now} -> {value}")
    for key, before in known.sysctls().items():
        now = observed.sysctls.get(key)
        if key not in wanted and now is not None and now.split() != before.split():
            yield Change("sysctl", key, "remove", f"{now} -> {before}")


def _path_changes(bundle: Bundle, observed: Observed, known: Known) -> Iterator[Change]:
    wanted = wanted_paths(bundle)
    for item in wanted.values():
        change = _path_change(item, observed, known)
        if change is not None:
            yield change
    for path in sorted(known.paths() - wanted.keys()):
        if observed.paths.get(path) is not None:
            yield _removal(_kind_of(observed.paths.get(path)), path, observed, known)


def _path_change(item: File | Link | Absent, observed: Observed, known: Known) -> Change | None:
    seen = observed.paths.get(item.path)
    if isinstance(item, Absent):
        return None if seen is None else _removal("absent", item.path, observed, known)
    if stamp_of(seen) is not None and _same(stamp_of(seen), wanted_stamp(item)):
        return None
    stamps = known.stamps(item.path)
    secret = isinstance(item, File) and item.secret
    hidden = secret or any(stamp.secret for stamp in stamps)
    diff = difference(item.path, _content(seen), _content(item), secret=hidden)
    return Change(
        "file" if isinstance(item, File) else "link",
        item.path,
        "add" if seen is None else "change",
        diff,
        by_hand=_is_by_hand(item.path, observed, known, item),
    )


def _removal(kind: str, path: str, observed: Observed, known: Known) -> Change:
    seen = observed.paths.get(path)
    stamps = known.stamps(path)
    # Of a file that is not ours only its mode tells whether it is anybody's business.
    private = isinstance(seen, SeenFile) and not seen.mode & 0o004
    secret = any(stamp.secret for stamp in stamps) or (private and not stamps)
    diff = difference(path, _content(seen), None, secret=secret)
    by_hand = _is_by_hand(path, observed, known, None)
    return Change(kind, path, "remove", diff, by_hand=by_hand)


def _is_by_hand(path: str, observed: Observed, known: Known, item: File | Link | None) -> bool:
    seen = observed.paths.get(path)
    if seen is None or path in observed.pristine:
        return False
    stamp = stamp_of(seen)
    if stamp is None:
        return True
    ours = known.stamps(path)
    if known.journal is not None and path in known.journal.fresh:
        return False
    if item is not None and stamp.sha256 == wanted_stamp(item).sha256 and not ours:
        # Somebody already wrote exactly this; only its mode or owner is put right.
        return False
    return not any(_same(stamp, left) for left in ours)


def _same(left: Stamp | None, right: Stamp) -> bool:
    return left is not None and left.same_as(right)


def stamp_of(seen: Seen) -> Stamp | None:
    """Return the stamp of what was seen; None for what is neither a file nor a link."""
    if isinstance(seen, SeenFile):
        return Stamp(sha256(seen.data), seen.mode, seen.owner, seen.group)
    if isinstance(seen, SeenLink):
        return link_stamp(seen.target)
    return None


def wanted_stamp(item: File | Link) -> Stamp:
    """Return the stamp that a wanted file or link will have."""
    if isinstance(item, Link):
        return link_stamp(item.target)
    digest = sha256(item.text.encode())
    return Stamp(digest, item.mode, item.owner, item.group, secret=item.secret)


def _content(item: Seen | File | Link) -> Content | None:
    if isinstance(item, File):
        return Content(item.text.encode(), _owner(item))
    if isinstance(item, SeenFile):
        return Content(item.data, _owner(item))
    if isinstance(item, Link | SeenLink):
        return Content(f"link to {item.target}\n".encode(), "link")
    if item is None:
        return None
    return Content(b"not a file\n", "other")


def _kind_of(seen: Seen) -> str:
    return "link" if isinstance(seen, SeenLink) else "file"


def _command_changes(bundle: Bundle, observed: Observed) -> Iterator[Change]:
    for command in bundle.commands:
        if command.name not in observed.satisfied:
            yield Change("command", command.name, "run")


def _unit_changes(
    bundle: Bundle, observed: Observed, known: Known, touched: Touched
) -> Iterator[Change]:
    wanted = {unit.name for unit in bundle.units}
    for name in known.units():
        seen = observed.units.get(name, SeenUnit())
        if name not in wanted and (seen.is_active or seen.is_enabled):
            yield Change("unit", name, "remove", "stopped and disabled")
    if needs_daemon_reload(observed, touched):
        yield Change("reaction", "systemd", "reload")
    for unit in bundle.units:
        seen = observed.units.get(unit.name, SeenUnit())
        yield from _boot_changes(unit, seen)
        action = unit_action(unit, seen, touched)
        if action:
            kind = "unit" if action in {"start", "stop"} else "reaction"
            yield Change(kind, unit.name, action)


def needs_daemon_reload(observed: Observed, touched: Touched) -> bool:
    """Tell whether systemd has to read its unit files again."""
    return touched.hits(UNIT_FOLDERS) or any(unit.stale for unit in observed.units.values())


def _boot_changes(unit: Unit, seen: SeenUnit) -> Iterator[Change]:
    if unit.enabled and not seen.starts_at_boot:
        yield Change("unit", unit.name, "enable")
    elif not unit.enabled and seen.is_enabled:
        yield Change("unit", unit.name, "disable")


def unit_action(unit: Unit, seen: SeenUnit, touched: Touched) -> str:
    """Return what a unit needs: ``start``, ``stop``, ``restart``, ``reload`` or nothing."""
    if not unit.running:
        return "stop" if seen.is_active else ""
    if not seen.is_active:
        return "start"
    if touched.hits(unit.restart_on):
        return "restart"
    return "reload" if touched.hits(unit.reload_on) else ""
