"""The Debian packages of each role, by names that Debian 12 and 13 both have.

The lab's image holds all of them, so that an apply in the lab needs no network.
"""

from stillup.model.farm import Role

BASE = (
    "ca-certificates",
    "chrony",
    "curl",
    "iproute2",
    "libnftables1",
    "logrotate",
    "nftables",
    "python3",
    "unattended-upgrades",
)
"""curl asks the healths; libnftables is what the heartbeat holds its lease through."""

ROLES: dict[Role, tuple[str, ...]] = {
    Role.BALANCER: ("haproxy",),
    # The PHP extensions that WordPress, Drupal, Nextcloud and the shops ask for.
    Role.WEB: (
        "nginx-light",
        "php-fpm",
        "php-cli",
        "php-mysql",
        "php-curl",
        "php-gd",
        "php-intl",
        "php-mbstring",
        "php-xml",
        "php-zip",
    ),
    Role.DATABASE: ("mariadb-server", "mariadb-client", "mariadb-backup"),
    # Which engine depends on how many storage servers there are; its part asks for it.
    Role.STORAGE: (),
}


def of(roles: frozenset[Role]) -> tuple[str, ...]:
    """Return every package that a server of these roles needs, each once, in a fixed order."""
    chosen = [BASE, *(ROLES[role] for role in Role if role in roles)]
    return tuple(dict.fromkeys(package for group in chosen for package in group))
