"""MariaDB on each of several database servers: one group (Galera), one writer at a time.

The keeper (``stillup.keeper``) starts MariaDB and says who writes; systemd does not, as a start
at the wrong moment, or as the first of a new group, loses data. ``templates/database`` says why
for each setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stillup.model.cluster import cluster_tls
from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.model.tiebreakers import voters
from stillup.node.bundle import Bundle, Check, Command, Directory, File
from stillup.parts import database, database_keeper, ports
from stillup.parts.template import render

CONFIG = "/etc/mysql/mariadb.conf.d/92-stillup-galera.cnf"
MEMBERS = "/etc/mysql/mariadb.conf.d/93-stillup-members.cnf"
"""Read when MariaDB starts, and no reason to restart it."""
MARIADB = "mariadb.service"
RESTARTED = "MariaDB runs with its settings"
"""The name of the command that restarts it where it does not."""
PACKAGES = ("mariadb-backup", "socat")


@dataclass(frozen=True, slots=True)
class Tls:
    """Where a server has the group's certificates, and who alone may read the key."""

    folder: str
    account: str

    @property
    def ca(self) -> str:
        """The farm's own authority."""
        return f"{self.folder}/authority.pem"

    @property
    def certificate(self) -> str:
        """What all servers of the group show each other."""
        return f"{self.folder}/certificate.pem"

    @property
    def key(self) -> str:
        """The certificate's key."""
        return f"{self.folder}/key.pem"

    @property
    def directory(self) -> Directory:
        """The folder that holds them."""
        return Directory(self.folder, 0o755)

    def files(self, secrets: Secrets) -> tuple[File, ...]:
        """Return the three files."""
        tls = cluster_tls(secrets.cluster_pem)
        return (
            File(self.ca, tls.authority),
            File(self.certificate, tls.certificate),
            File(
                self.key, tls.key, mode=0o600, owner=self.account, group=self.account, secret=True
            ),
        )


TLS = Tls("/etc/mysql/stillup", "mysql")


def wanted(
    farm: Farm,
    server: Server,
    secrets: Secrets,
    code: Mapping[str, str],
    *,
    keeps_old: bool = False,
) -> Bundle:
    """Return what ``server``, one of several database servers, needs; ``database.wanted`` has more.

    Args:
        farm: A farm with two or more database servers.
        server: One of them.
        secrets: The farm's secrets.
        code: The daemons' code.
        keeps_old: The site's old account stays valid beside the new one.
    """
    tls = TLS.files(secrets)
    settings = (database.CONFIG, CONFIG, *(file.path for file in tls))
    return Bundle(
        farm.name,
        server.name,
        packages=PACKAGES,
        directories=(*database_keeper.DIRECTORIES, TLS.directory),
        files=(
            *tls,
            File(database.CONFIG, database.config(farm, server)),
            File(database.CONNECTIONS, database.connections_config(farm, server)),
            File(CONFIG, config(farm, server)),
            File(MEMBERS, config(farm, server, "database/members.cnf.j2")),
            *database_keeper.files(farm, server, secrets, code),
        ),
        checks=(
            database.checked(CONFIG, MEMBERS),
            Check("the database's keeper", database_keeper.CHECK, database_keeper.PATHS),
        ),
        commands=(
            _left_to_the_keeper(),
            *(_when_member(item) for item in database.commands(farm, secrets, keeps_old=keeps_old)),
            _restarted(settings),
        ),
        units=(database_keeper.unit(),),
        healths=(database_keeper.health(),),
    )


def config(farm: Farm, server: Server, template: str = "database/galera.cnf.j2") -> str:
    """Return MariaDB's settings as a member of the group."""
    return render(
        template,
        {
            "farm": farm,
            "server": server,
            "members": members(farm),
            "provider_options": provider_options(TLS),
            "tls": TLS,
            "ports": ports,
        },
    )


def members(farm: Farm) -> tuple[Server, ...]:
    """Return every server that votes for the database, the arbiter last."""
    return voters(farm, Role.DATABASE)


def provider_options(tls: Tls) -> str:
    """Return the options of the group communication that every member has, the arbiter too."""
    options = {
        "socket.ssl": "yes",
        "socket.ssl_ca": tls.ca,
        "socket.ssl_cert": tls.certificate,
        "socket.ssl_key": tls.key,
        "evs.keepalive_period": "PT0.5S",
        "evs.inactive_check_period": "PT0.25S",
        "evs.suspect_timeout": "PT1.5S",
        "evs.inactive_timeout": "PT3S",
        "evs.install_timeout": "PT1.5S",
        "evs.join_retrans_period": "PT0.3S",
        "gmcast.peer_timeout": "PT1.5S",
    }
    return ";".join(f"{key}={value}" for key, value in options.items())


def _left_to_the_keeper() -> Command:
    """Have systemd not start MariaDB at boot, as Debian's package wants it to."""
    return Command(
        "only the keeper starts MariaDB",
        ("/usr/bin/systemctl", "disable", MARIADB),
        unless=("/bin/sh", "-c", f"! systemctl is-enabled --quiet {MARIADB}"),
    )


def _when_member(command: Command) -> Command:
    """Have a command wait for the group; its guard does not wait, as it also serves a look."""
    program, option, script = command.argv
    return Command(
        command.name,
        (program, option, database_keeper.when_ready(script)),
        unless=command.unless,
        stdin=command.stdin,
        unless_stdin=command.unless_stdin,
        needs=database_keeper.UNIT,
    )


def _restarted(settings: tuple[str, ...]) -> Command:
    """Restart a MariaDB that runs with older settings, in order: another one writes before."""
    began = f"systemctl show --property=ExecMainStartTimestamp --value {MARIADB}"
    return Command(
        RESTARTED,
        database_keeper.restart(),
        unless=(
            "/bin/sh",
            "-euc",
            f"systemctl is-active --quiet {MARIADB} || exit 0; "
            f'began=$(date -d "$({began})" +%s); '
            f'for file in {" ".join(settings)}; do test "$(stat -c %Y $file)" -le "$began"; done',
        ),
        needs=database_keeper.UNIT,
    )
