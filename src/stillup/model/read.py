"""Reads a farm file: bytes in, a sound ``Farm`` or all of its problems out."""

from dataclasses import dataclass

from pydantic import ValidationError

from stillup.model import addresses, values
from stillup.model.document import Document, read_document
from stillup.model.explain import explained
from stillup.model.farm import (
    Backup,
    Balancer,
    Database,
    Drills,
    Farm,
    Promises,
    Role,
    Server,
    Site,
    Ssh,
    Storage,
    Tls,
    Vip,
    Web,
)
from stillup.model.lines import Lines
from stillup.model.problems import Problem, in_order
from stillup.model.rules import broken_rules
from stillup.model.schema import FarmFile
from stillup.model.words import BUFFER, DRAIN, LEASE, OUTAGE, PHP_MEMORY, QUEUE, UPLOAD

_MOST_PROBLEMS = 100
_MOST_EXPLAINED = 1000
"""Finding what a key was meant to be takes time; nobody reads so many problems at once."""


@dataclass(frozen=True, slots=True)
class FarmText:
    """A sound farm with the lines its keys stand on, for problems found outside the file."""

    farm: Farm
    lines: Lines


def read_farm(data: bytes, name: str) -> Farm | tuple[Problem, ...]:
    """Return the farm that a farm file describes, or every problem it has, by line.

    Args:
        data: The file's bytes; of a file larger than ``document.MOST_BYTES``, one byte more.
        name: What the problems call the file.
    """
    read = read_farm_text(data, name)
    return read.farm if isinstance(read, FarmText) else read


def read_farm_text(data: bytes, name: str) -> FarmText | tuple[Problem, ...]:
    """Return what ``read_farm`` does, and the lines with it."""
    document = read_document(data, name)
    if isinstance(document, Problem):
        return (document,)
    file = _shape(document)
    problems = list(broken_rules(document))
    if isinstance(file, FarmFile) and not problems:
        return FarmText(_farm(file), document.lines)
    if not isinstance(file, FarmFile):
        problems += file
    return _most(in_order(problems), name)


def _most(problems: tuple[Problem, ...], name: str) -> tuple[Problem, ...]:
    """Return the first problems, and how many more there are."""
    rest = problems[_MOST_PROBLEMS:]
    if not rest:
        return problems
    told = f"and {len(rest)} more problems from here on"
    return (*problems[:_MOST_PROBLEMS], Problem(name, rest[0].line, "", told, "more"))


def _shape(document: Document) -> FarmFile | list[Problem]:
    try:
        return FarmFile.model_validate(document.values)
    except ValidationError as error:
        return list(explained(document, error.errors(include_url=False)[:_MOST_EXPLAINED]))


def _farm(file: FarmFile) -> Farm:
    return Farm(
        name=file.farm.name,
        lan=addresses.network(file.network.lan),
        lan6=addresses.network6(file.network.lan6) if file.network.lan6 is not None else None,
        vip=_vip(file),
        site=Site(
            tuple(file.site.hosts),
            file.site.source,
            file.site.document_root,
            tuple(values.shared_folder(text) for text in file.site.shared),
        ),
        balancer=Balancer(
            balance=values.balance(file.balancer.balance),
            sticky=file.balancer.sticky,
            check=file.balancer.check,
            maxconn_per_server=file.balancer.maxconn_per_server,
            queue_s=QUEUE(file.balancer.queue),
        ),
        tls=Tls(file.tls.enabled, file.tls.certificate, file.tls.key, file.tls.redirect),
        web=Web(file.web.php_workers, PHP_MEMORY(file.web.php_memory), UPLOAD(file.web.upload)),
        database=Database(file.database.name, file.database.user, BUFFER(file.database.buffer)),
        storage=Storage(file.storage.mount),
        backup=Backup(
            file.backup.to, file.backup.keep, tuple(file.backup.encrypt_to), file.backup.at
        ),
        ssh=Ssh(file.ssh.user, file.ssh.port, file.ssh.key, file.ssh.known_hosts),
        promises=Promises(
            outage_s=OUTAGE(file.promises.outage),
            lost_writes=file.promises.lost_writes,
            planned_failures=file.promises.planned_failures,
        ),
        servers=tuple(
            Server(
                name,
                addresses.address(server.address),
                frozenset(values.role(role) for role in server.roles),
                addresses.address(server.direct) if server.direct else None,
            )
            for name, server in file.servers.items()
        ),
        direct=addresses.network(file.network.direct) if file.network.direct else None,
        drills=Drills(tuple(file.drills.allow)),
    )


def _vip(file: FarmFile) -> Vip:
    given = tuple(addresses.vip(text) for text in file.vip.addresses)
    preferred = file.vip.preferred
    if isinstance(preferred, dict):
        names = {addresses.vip(text): name for text, name in preferred.items()}
        each = tuple(names.get(address) for address in given)
    elif preferred is None and len(given) > 1:
        each = _shared_out(file, len(given))
    else:
        each = (preferred,) * len(given)
    witness = addresses.address(file.vip.witness) if file.vip.witness else None
    drain_s = DRAIN(file.vip.drain)
    return Vip(
        given,
        LEASE(file.vip.lease),
        each,
        file.vip.failback,
        witness=witness,
        drain_s=drain_s,
        on_acquire=tuple(file.vip.on_acquire),
        on_release=tuple(file.vip.on_release),
    )


def _shared_out(file: FarmFile, count: int) -> tuple[str, ...]:
    """Return a balancer for each address, in turn."""
    balancers = [name for name, server in file.servers.items() if Role.BALANCER in server.roles]
    return tuple(balancers[place % len(balancers)] for place in range(count))
