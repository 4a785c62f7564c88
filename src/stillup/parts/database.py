"""MariaDB on the database server, the site's database and its account."""

import hashlib

from stillup.model import limits
from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.node.bundle import Bundle, Check, Command, File, Health, Unit
from stillup.node.copies import MEMORIES
from stillup.parts import ports
from stillup.parts.base import kept_running
from stillup.parts.template import render

CONFIG = "/etc/mysql/mariadb.conf.d/90-stillup.cnf"
CONNECTIONS = "/etc/mysql/mariadb.conf.d/91-stillup-connections.cnf"
"""What changes when a web server joins: set in the running MariaDB too, which is not restarted."""
CLIENT = ("/bin/sh", "-c", "exec /usr/bin/mariadb --batch --connect-timeout=5 >/dev/null")
"""As root over the socket: MariaDB lets the server's own root in without a password.

Reads SQL from standard input. Its standard output is dropped: it would repeat a statement that
failed, and with it the hash of the password; the reason is on its standard error.
"""
ACCOUNT = "the site's database and its account"
"""The command's name; the plan looks for it."""
UNIT = "mariadb.service"
BUSY_S = 60.0
"""While a member copies the database from this one, it refuses to change accounts: a lock's time is up."""
MARK = "stillup_accounts"
"""A role without rights: it marks the accounts that stillup made."""


def wanted(farm: Farm, server: Server, secrets: Secrets, *, keeps_old: bool = False) -> Bundle:
    """Return what the database server ``server`` needs.

    ``keeps_old``: for the time until every web server has its part of the change, the site's
    account has the old password beside the new one, and accounts that are to go are left.
    """
    return Bundle(
        farm.name,
        server.name,
        files=(
            File(CONFIG, config(farm, server)),
            kept_running(UNIT),
            File(CONNECTIONS, connections_config(farm, server)),
        ),
        checks=(checked(),),
        commands=(_alone(), *commands(farm, secrets, keeps_old=keeps_old)),
        units=(Unit(UNIT, restart_on=(CONFIG,)),),
        healths=(
            Health(
                "MariaDB answers",
                ("/usr/bin/mariadb-admin", "--connect-timeout=2", "ping"),
                within_s=60,
            ),
        ),
    )


def checked(*more: str) -> Check:
    """Return MariaDB's own check of its settings, those at the paths ``more`` too."""
    argv = ("/usr/sbin/mariadbd", "--help", "--verbose")
    return Check("MariaDB", argv, (CONFIG, CONNECTIONS, *more))


def commands(farm: Farm, secrets: Secrets, *, keeps_old: bool) -> tuple[Command, ...]:
    """Return what is set in the running MariaDB: the accounts, the number of connections."""
    values = account_values(farm, secrets, keeps_old=keeps_old)
    most = {"connections": connections(farm)}
    return (
        Command(
            ACCOUNT,
            CLIENT,
            unless=CLIENT,
            stdin=render("database/account.sql.j2", values),
            unless_stdin=render("database/account-settled.sql.j2", values),
            needs=UNIT,
            within_s=BUSY_S,
        ),
        Command(
            "MariaDB's number of connections",
            CLIENT,
            unless=CLIENT,
            stdin=render("database/connections.sql.j2", most),
            unless_stdin=render("database/connections-settled.sql.j2", most),
            needs=UNIT,
            within_s=BUSY_S,
        ),
    )


def connections_config(farm: Farm, server: Server) -> str:
    """Return the settings file with the number of connections."""
    values = {"farm": farm, "server": server, "connections": connections(farm)}
    return render("database/connections.cnf.j2", values)


def _alone() -> Command:
    """Leave the group that the server was in, where it is the only one left.

    MariaDB starts anew, as it may still run as a member, whose settings are gone. And it forgets the
    group: from now on it writes what no position in the group tells of, and a server that once was in
    the group with it, and comes back, must not take its own older copy for the same.
    """
    files = " ".join(MEMORIES)
    return Command(
        "the database's group is over",
        ("/bin/sh", "-euc", f"systemctl stop {UNIT}; rm -f {files}; systemctl start {UNIT}"),
        unless=("/bin/sh", "-c", f"for file in {files}; do test ! -e $file || exit 1; done"),
        needs=UNIT,
    )


def config(farm: Farm, server: Server) -> str:
    """Return MariaDB's settings."""
    buffer_mb = max(16, farm.database.buffer_bytes >> 20)
    return render(
        "database/mariadb.cnf.j2",
        {
            "farm": farm,
            "server": server,
            "buffer_mb": buffer_mb,
            # A quarter of the pool: fewer, larger flushes, and still a quick recovery.
            "log_mb": min(1024, max(48, buffer_mb // 4)),
            "ports": ports,
        },
    )


def connections(farm: Farm) -> int:
    """Return how many connections MariaDB must take at once."""
    return limits.connections(farm.web.php_workers, len(farm.having(Role.WEB)))


def account_values(farm: Farm, secrets: Secrets, *, keeps_old: bool = False) -> dict[str, object]:
    """Return what the SQL templates ask for; the password only as MariaDB's hash of it."""
    return {
        "database": farm.database.name,
        "user": farm.database.user,
        "hash": native_hash(secrets.database_password),
        "mark": MARK,
        "keeps_old": keeps_old,
        "hosts": [str(web.address) for web in farm.having(Role.WEB)],
    }


def native_hash(password: str) -> str:
    """Return what MariaDB stores for ``password`` with ``mysql_native_password``.

    So the password itself never reaches the database server, whose logs and process lists can
    then not show it. The method is SHA-1 twice: the secret is random and long, which no speed
    of guessing makes up for, and mysqlnd of both PHP 8.2 and 8.4 speaks it without TLS.

    Source: MariaDB knowledge base, "Authentication Plugin - mysql_native_password".
    """
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()
