"""What is wrong with the shared files: a copy that is not whole, a web server without them."""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role
from stillup.status import picture
from stillup.status.observed import Observed, Reached
from stillup.status.verdict import Finding, Severity


def findings(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield every problem of the shared storage; nothing where one server alone keeps it."""
    for seen in picture.seen_with(farm, observed, Role.STORAGE):
        if seen.files_copy is not None and not seen.files_copy.well:
            yield Finding(
                "files-not-whole",
                Severity.RISK,
                f"the copies of the shared files are not whole, by {seen.name}: "
                f"{seen.files_copy.why}",
                f"they are healed by themselves; see `journalctl -u stillup-storage` on {seen.name}",
                seen.name,
            )
    yield from _mounts(farm, observed)


def _mounts(farm: Farm, observed: Observed) -> Iterator[Finding]:
    webs = [seen for seen in picture.seen_with(farm, observed, Role.WEB) if seen.files_mount]
    away = [seen for seen in webs if _why(seen)]
    for seen in away:
        yield Finding(
            "files-away",
            Severity.DOWN if len(away) == len(webs) else Severity.RISK,
            f"{seen.name} has no shared files: {_why(seen)}",
            f"see `journalctl -u stillup-shared -u stillup-shared-watch` on {seen.name}",
            seen.name,
        )


def _why(seen: Reached) -> str:
    mount = seen.files_mount
    return "" if mount is None or mount.well else mount.why
