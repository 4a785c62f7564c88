"""What every command begins with: the farm, its secrets, the way to its servers.

Everything wrong with what the user wrote ends here as one ``InputRefused`` that holds all
problems, one a line.
"""

from argparse import Namespace
from pathlib import Path

from stillup.cli.files import read_file
from stillup.errors import InputRefused
from stillup.model.document import MOST_BYTES
from stillup.model.farm import Farm
from stillup.model.problems import Problem, listing, printable
from stillup.model.read import FarmText, read_farm_text
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


def beside(farm_path: Path, named: str) -> Path:
    """Return the path of a file or folder that the farm file names: relative to itself."""
    return farm_path.parent / Path(named).expanduser()
