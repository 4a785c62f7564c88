"""What is in the machines' image, and how it is made: pure.

The image is Debian 13 with every engine of the farm installed and none of them enabled,
so that what runs on a machine is what stillup put there. Its name is the hash of this
recipe: another recipe is another image, and an image is never changed.
"""

import hashlib
from dataclasses import dataclass

SUITE = "trixie"
SIZE_BYTES = 850_000_000
"""What one image takes on the disk; measured: 783 MiB."""

# What a fresh Debian server has that a minimal tree lacks.
BASE = (
    "bash-completion",
    "ca-certificates",
    "curl",
    "dbus",
    "ifupdown",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libnftables1",
    "logrotate",
    "nftables",
    "openssh-server",
    "openssl",
    "procps",
    "python3",
    "ssl-cert",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
    "unattended-upgrades",
    "vim-tiny",
)

# The machines have no way to a package index, so every package that a part asks for is here.
ENGINES = (
    "age",
    "chrony",
    "galera-4",
    "galera-arbitrator-4",
    "glusterfs-client",
    "glusterfs-server",
    "haproxy",
    "mariadb-backup",
    "mariadb-client",
    "mariadb-server",
    "memcached",
    "nfs-common",
    "nfs-kernel-server",
    "nginx-light",
    "php-cli",
    "php-curl",
    "php-fpm",
    "php-gd",
    "php-intl",
    "php-mbstring",
    "php-memcached",
    "php-mysql",
    "php-xml",
    "php-zip",
    "rsync",
    "socat",
)

# Units that Debian's packages enable on installation. The farm's parts enable what a server
# should run; the timers would only fail, as a lab machine has no way to the internet.
DISABLED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "chrony.service",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fsidd.service",
    "fstrim.timer",
    "garb.service",
    "haproxy.service",
    "mariadb.service",
    "memcached.service",
    "nfs-blkmap.service",
    "nfs-client.target",
    "nfs-server.service",
    "nginx.service",
    "php8.4-fpm.service",
    "phpsessionclean.timer",
    "rpcbind.service",
    "rpcbind.socket",
    "unattended-upgrades.service",
    "xfs_scrub_all.timer",
)

# Runs in the new tree as its last step. Host keys and the machine's identity are made for each
# machine by itself. An empty machine-id would make systemd take the first boot for an
# installation and enable every unit by preset, so it is absent until a machine gets its own.
FINISH = f"""\
set -eu
systemctl disable --quiet {" ".join(DISABLED)}
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
rm -rf /var/lib/apt/lists/* /var/log/*.log /var/log/apt
useradd --create-home --shell /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/admin
chmod 0440 /etc/sudoers.d/admin
printf 'PermitRootLogin prohibit-password\\nPasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' \\
    >/etc/ssh/sshd_config.d/10-lab.conf
install -d -m 2755 -g systemd-journal /var/log/journal
printf 'Etc/UTC\\n' >/etc/timezone
ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime
"""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where packages come from: two base addresses and, if the host's apt has one, a proxy."""

    main: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"
    proxy: str | None = None


def image_hash() -> str:
    """Return the image's name: 16 hexadecimal digits of what is in it, not of where from."""
    text = "\n".join([SUITE, *BASE, *ENGINES, FINISH])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mmdebstrap(mirror: Mirror, target: str) -> list[str]:
    """Return the command that builds the image into the folder ``target``."""
    options = ['Acquire::Languages "none"', 'APT::Install-Recommends "false"']
    if mirror.proxy is not None:
        options.append(f'Acquire::http::Proxy "{mirror.proxy}"')
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        *(f"--aptopt={option}" for option in options),
        # Manuals and translations are half of the files and nobody reads them here.
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        f"--include={','.join((*BASE, *ENGINES))}",
        '--customize-hook=chroot "$1" sh -c "$STILLUP_FINISH"',
        SUITE,
        target,
        f"deb {signed} {mirror.main} {SUITE} main",
        f"deb {signed} {mirror.main} {SUITE}-updates main",
        f"deb {signed} {mirror.security} {SUITE}-security main",
    ]


def host_mirror(index_targets: str, proxy: str | None) -> Mirror:
    """Return the mirror that the host's own apt uses, so that a local one is honoured.

    Args:
        index_targets: Lines ``ORIGIN REPO_URI RELEASE`` as ``apt-get indextargets`` writes them.
        proxy: The host's ``Acquire::http::Proxy``, or None.
    """
    default = Mirror()
    main, security = default.main, default.security
    for line in index_targets.splitlines():
        origin, _, rest = line.partition(" ")
        address, _, release = rest.partition(" ")
        if origin != "Debian" or not address.startswith(("http://", "https://")):
            continue
        if release.endswith("-security"):
            security = address.rstrip("/")
        elif "-" not in release:
            main = address.rstrip("/")
    return Mirror(main, security, proxy)
