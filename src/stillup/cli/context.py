"""What every command begins with: the farm, its secrets, the way to its servers.

Everything wrong with what the user wrote ends here as one ``InputRefused`` that holds all
problems, one a line.
"""

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from stillup.cli.certificate import PairRefused
from stillup.cli.files import read_file
from stillup.cli.local_files import beside, own_certificate
from stillup.cli.secrets_file import complete_secrets, given_secrets
from stillup.errors import InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.farm import Farm, Secrets
from stillup.model.problems import Problem, listing, printable
from stillup.model.read import FarmText, read_farm_text
from stillup.model.secrets import GivenSecrets
from stillup.servers.connection import Access


def load_farm(path: Path) -> Farm:
    """Return the farm that the file describes.

    Raises:
        InputRefused: If there is no such file, it cannot be read, or it has problems; the
            error's text holds all of them, one a line.
    """
    read = load_farm_text(path)
    if not isinstance(read, FarmText):
        raise InputRefused(listing(read))
    return read.farm


def load_farm_text(path: Path) -> FarmText | tuple[Problem, ...]:
    """Return the farm with its lines, or its problems.

    Raises:
        InputRefused: If there is no such file or it cannot be read.
    """
    try:
        data = read_file(path, MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputRefused(
            f"{printable(str(path))} does not exist; `stillup init` writes one, -f names another"
        ) from None
    return read_farm_text(data, str(path))


def load_secrets(farm: Farm, path: Path) -> Secrets:
    """Return the farm's secrets; those that are missing are made and kept.

    Args:
        farm: The farm.
        path: The farm file; the secrets are beside it.

    Raises:
        InputRefused: If others can read the secrets, or they or the certificate's files have
            problems.
    """
    now = datetime.now(UTC)
    secrets = _whole(complete_secrets(farm, path, now), farm, path, now)
    assert secrets is not None
    return secrets


def kept_secrets(farm: Farm, path: Path) -> Secrets | None:
    """Return the farm's secrets as they are; None when some are missing. Makes nothing.

    Raises:
        InputRefused: As ``load_secrets``.
    """
    given = given_secrets(path)
    if not isinstance(given, GivenSecrets):
        raise InputRefused(listing(given))
    return _whole(given, farm, path, datetime.now(UTC))


def _whole(given: GivenSecrets, farm: Farm, path: Path, now: datetime) -> Secrets | None:
    if (
        given.heartbeat_key is None
        or given.database_password is None
        or given.stats_password is None
    ):
        return None
    if farm.has_cluster and (given.cluster_key is None or given.cluster_pem is None):
        return None
    return Secrets(
        heartbeat_key=given.heartbeat_key,
        database_password=given.database_password,
        stats_password=given.stats_password,
        tls_pem=_tls_pem(farm, path, given.tls_pem, now),
        heartbeat_key_beside=given.heartbeat_key_next or given.heartbeat_key_old or "",
        cluster_key=(given.cluster_key or "") if farm.has_cluster else "",
        cluster_pem=(given.cluster_pem or "") if farm.has_cluster else "",
    )


def _tls_pem(farm: Farm, path: Path, self_signed: str | None, now: datetime) -> str:
    if not farm.tls.enabled:
        return ""
    if farm.tls.certificate is None:
        return self_signed or ""
    pair = own_certificate(farm, path, now)
    if isinstance(pair, PairRefused):
        raise InputRefused(f"{printable(str(path))}: tls.{pair.key}: {pair.text}")
    return pair.pem


def access_for(arguments: Namespace, farm: Farm) -> Access:
    """Return the way to the farm's servers: into its lab with ``--lab``, else over SSH."""
    if arguments.lab:
        from stillup.lab.access import lab_access

        return lab_access(farm, arguments.file)
    from stillup.servers.ssh import SshAccess

    ssh = farm.ssh
    return SshAccess(
        ssh.user,
        ssh.port,
        beside(arguments.file, ssh.key) if ssh.key else None,
        beside(arguments.file, ssh.known_hosts) if ssh.known_hosts else None,
    )
