"""What would leave the farm without a copy of its data, and is refused (pure).

Whoever leaves the farm file is not asked any more, so what it alone has would be out of reach;
and of those that vote for what is kept, a majority of before must be there when one goes.
"""

from collections.abc import Iterator, Sequence

from stillup.deploy.copies import KEPT
from stillup.deploy.view import Situation
from stillup.model.farm import Role

EXPORTS = "/etc/exports"
WHAT = {Role.STORAGE: "shared files", Role.DATABASE: "database"}


def lost_copies(situation: Situation) -> Iterator[tuple[str, str, str]]:
    """Yield code, sentence and the option that overrides it, of each reason not to begin."""
    for role in KEPT:
        yield from _leaving(situation, role)
    yield from _begun_empty(situation)
    yield from _another_engine(situation)


def _leaving(situation: Situation, role: Role) -> Iterator[tuple[str, str, str]]:
    leaving = situation.departing(role)
    if not leaving:
        return
    names, what = _list(leaving), WHAT[role]
    staying = {
        server.name: copy
        for server in situation.farm.having(role)
        if (copy := situation.copy(server.name, role))
    }
    if not staying:
        yield (
            "last-copy",
            f"no server that stays has a copy of the {what}: {names} would take the last one along; "
            f"leave one of them its role {role} until another one has a whole copy",
            "",
        )
    elif len(leaving) > 1:
        yield (
            "copies-leave-at-once",
            f"{names} have a copy of the {what} each and would leave at once, so those that stay "
            "may be no majority of those that vote for it; take one at a time out of the farm "
            "file, with an apply for each",
            "",
        )
    elif not any(copy.well for copy in staying.values()):
        told = "; ".join(f"{name}: {copy.why}" for name, copy in staying.items())
        yield (
            "copy-not-whole",
            f"{names} would leave while no copy of the {what} that stays is whole ({told}); wait "
            f"until `stillup status` shows one whole; --force goes on, for instance when {names} "
            "is dead for good",
            "--force",
        )


def _begun_empty(situation: Situation) -> Iterator[tuple[str, str, str]]:
    databases = [server.name for server in situation.farm.having(Role.DATABASE)]
    serves = any(standing.release is not None for standing in situation.standings.values())
    if serves and all(
        name in situation.standings and situation.standings[name].first for name in databases
    ):
        yield (
            "database-begins-empty",
            f"the site is served already and nothing was ever applied to {_list(databases)}, so it "
            "would go on with an empty database; put the server that has it back into the farm "
            "file, or --force, and then `stillup restore`",
            "--force",
        )


def _another_engine(situation: Situation) -> Iterator[tuple[str, str, str]]:
    servers = [server.name for server in situation.farm.having(Role.STORAGE)]
    exporting = [
        name
        for name, standing in situation.standings.items()
        if any(
            each.name.startswith(EXPORTS) and each.action == "remove" for each in standing.changes
        )
    ]
    grouped = [name for name in servers if situation.copy(name, Role.STORAGE)]
    if (exporting and len(servers) > 1) or (grouped and len(servers) == 1):
        was, will = ("NFS", "GlusterFS") if exporting else ("GlusterFS", "NFS")
        yield (
            "storage-engine-changes",
            f"the shared files of {_list(exporting or grouped)} are served by {was}, and with "
            f"{len(servers)} storage server{'s' if len(servers) > 1 else ''} it would be {will}; "
            "files are not carried over by an apply: `stillup backup` them, build the other farm "
            "beside this one, and `stillup restore` them there",
            "",
        )


def _list(names: Sequence[str]) -> str:
    return " and ".join(names)
