"""The shape of the farm file: every table and key, its default, its bounds, its meaning.

These models hold what the file says, in the file's own words (``"500ms"`` stays a text), so
that the JSON Schema for editors and the reference page come from them as they stand.
``stillup.model.read`` turns them into the values of ``stillup.model.farm``; nothing else
uses them. What concerns several keys at once stands in ``stillup.model.rules``.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from stillup.model import addresses, backup_words, limits, values
from stillup.model.words import (
    BUFFER,
    DRAIN,
    DURATION,
    LEASE,
    OUTAGE,
    PHP_MEMORY,
    QUEUE,
    SIZE,
    UPLOAD,
    Address,
    BalanceWord,
    Host,
    Label,
    LocalPath,
    RoleWord,
    Section,
    VipAddress,
    checked,
    preferred_form,
)

MOST_VIPS = 16


class FarmSection(Section):
    """The farm itself."""

    name: Label = Field(
        description="The farm's name: 1 to 32 small letters, digits and hyphens.",
        examples=["shop"],
    )


class NetworkSection(Section):
    """The networks the servers share."""

    lan: Annotated[str, checked(addresses.network)] = Field(
        description="The servers' IPv4 network. It carries the users, the votes and the site.",
        examples=["10.0.0.0/24"],
    )
    lan6: Annotated[str, checked(addresses.network6)] | None = Field(
        default=None,
        description="The IPv6 network of the same LAN, which virtual IPs of IPv6 belong to. The "
        "balancers need an address of it; what the servers say to each other stays IPv4.",
        examples=["fd00:10::/64"],
    )
    direct: Annotated[str, checked(addresses.network)] | None = Field(
        default=None,
        description="A second IPv4 network between the balancers, where there is one. It carries "
        "HAProxy's tables and the word that the address is free; nothing depends on it.",
        examples=["10.100.100.0/24"],
    )


def _command(words: list[str]) -> list[str]:
    if words and not words[0].startswith("/"):
        raise ValueError("begins with the whole path of a program, as /usr/local/sbin/move-address")
    return words


class VipSection(Section):
    """The virtual IPs: the addresses that users reach the farm by."""

    addresses: list[VipAddress] = Field(
        description="The virtual IPs, 16 at most: free addresses of the LAN, one of IPv4 at "
        "least. Each is held by one balancer at a time, whoever holds the others.",
        examples=[["10.0.0.1"]],
        min_length=1,
        max_length=MOST_VIPS,
    )
    lease: Annotated[str, checked(LEASE), DURATION] = Field(
        default="500ms",
        description="How long a vote for the holder lasts, 150ms to 10s: the bound on an "
        "unplanned outage. Shorter moves sooner, and needs a network that answers sooner.",
    )
    preferred: Annotated[str | dict[str, str] | None, BeforeValidator(preferred_form)] = Field(
        default=None,
        description="The balancer that should hold the addresses when all are well; or, in a "
        "table, the balancer of each. Without it a single address stays where it is, and "
        "several are shared out over the balancers in turn.",
        examples=["lb1", {"10.0.0.1": "lb1", "10.0.0.11": "lb2"}],
    )
    failback: bool = Field(
        default=True,
        description="Bring an address back to its preferred balancer once that is well again, "
        "by a hand-over that loses no connection. Without it a person does (`stillup failover`).",
    )
    drain: Annotated[str, checked(DRAIN), DURATION] = Field(
        default="5min",
        description="How long connections that are open at a balancer live on there when an "
        "address is moved away from it on purpose, 1s to 60min. What is open then is ended; a "
        "balancer that is to be changed is not waited for longer.",
    )
    witness: Address | None = Field(
        default=None,
        description="For a farm of two balancers and nothing else: an address of the LAN that "
        "both can ping, as the router's. A balancer that no longer hears the other one may hold "
        "the virtual IP while this address answers it. When both reach it but not each other, "
        "both hold the virtual IP; a third server rules that out.",
        examples=["10.0.0.254"],
    )
    on_acquire: Annotated[list[str], AfterValidator(_command)] = Field(
        default_factory=list,
        description="A program on the balancers, by its path, and its arguments: run when one "
        "has gained an address, with ADDRESS, SERVER and REASON in its environment. For a cloud "
        "whose API moves the address. The lease does not wait for it, whatever it does.",
        examples=[["/usr/local/sbin/move-address", "here"]],
        max_length=16,
    )
    on_release: Annotated[list[str], AfterValidator(_command)] = Field(
        default_factory=list,
        description="The same, for when a balancer has lost an address or let it go.",
        examples=[["/usr/local/sbin/move-address", "away"]],
        max_length=16,
    )


class SiteSection(Section):
    """The PHP site that the farm serves."""

    hosts: list[Host] = Field(
        description="The host names the site answers to.",
        examples=[["shop.example"]],
        min_length=1,
    )
    source: LocalPath = Field(
        description="The folder on this machine that holds the site, relative to the farm "
        "file. `stillup release` brings it to every web server at once.",
        examples=["site/"],
    )
    document_root: Annotated[str, checked(values.inside_path)] = Field(
        default=".",
        description="The folder inside `source` that is served; `.` for all of it. Frameworks "
        "like Symfony and Laravel want `public`.",
    )
    shared: list[Annotated[str, checked(values.shared_folder)]] = Field(
        default_factory=list,
        description="Folders inside `source` that live on the shared storage: what PHP writes "
        "there is seen by every web server and outlives releases. They begin with what the first "
        'release has in them. `["."]` puts the whole site there. Needs a storage server.',
        examples=[["uploads"]],
        max_length=64,
    )


class BalancerSection(Section):
    """HAProxy."""

    balance: BalanceWord = Field(
        default="leastconn",
        description="Which web server a request without a session goes to: `leastconn` (the one "
        "with the fewest requests under way, so that one which hangs gets few) or `roundrobin` (each in turn).",
    )
    sticky: Annotated[str, checked(values.cookie)] | None = Field(
        default=None,
        description="The session cookie by which a user stays on one web server, usually "
        "PHP's. Without it every request may go to any web server.",
        examples=["PHPSESSID"],
    )
    check: Annotated[str, checked(values.check_path)] = Field(
        default="/health",
        description="The page that says whether a web server can do its work. It should ask "
        "PHP and the database, and answer 200 or 503.",
    )
    maxconn_per_server: int = Field(
        default=64,
        ge=1,
        le=100_000,
        description="The most requests a web server gets at once, 1 to 100000; more wait at "
        "the balancer.",
    )
    queue: Annotated[str, checked(QUEUE), DURATION] = Field(
        default="10s",
        description="How long a request may wait there, 100ms to 5min, before it is answered "
        "503 with Retry-After.",
    )


class TlsSection(Section):
    """HTTPS, ended at the balancers."""

    enabled: bool = Field(
        default=True, description="Answer HTTPS on port 443 as well as HTTP on 80."
    )
    certificate: LocalPath | None = Field(
        default=None,
        description="Your certificate with its chain, in PEM, relative to the farm file. "
        "Without it stillup signs one itself, which browsers warn of.",
        examples=["tls/shop.example.pem"],
    )
    key: LocalPath | None = Field(
        default=None,
        description="The certificate's private key, in PEM without a passphrase, mode 0600.",
        examples=["tls/shop.example.key"],
    )
    redirect: bool = Field(default=False, description="Answer plain HTTP with a redirect to HTTPS.")


class WebSection(Section):
    """nginx and PHP-FPM on each web server."""

    php_workers: int = Field(
        default=16,
        ge=1,
        le=limits.MOST_WORKERS,
        description="PHP processes on each web server, 1 to 2000: so many pages are made at "
        "once. Each may take `php_memory`.",
    )
    php_memory: Annotated[str, checked(PHP_MEMORY), SIZE] = Field(
        default="128MB", description="The most memory one PHP request may take, 16MB to 64GB."
    )
    upload: Annotated[str, checked(UPLOAD), SIZE] = Field(
        default="32MB", description="The largest request body, and so upload, 1MB to 16GB."
    )


class DatabaseSection(Section):
    """MariaDB."""

    name: Annotated[str, checked(values.database_name)] = Field(
        default="site", description="The site's database: 1 to 64 letters, digits and _."
    )
    user: Annotated[str, checked(values.database_user)] = Field(
        default="site",
        description="The account that the site uses: 1 to 32 letters, digits and _. Its "
        "password is made by stillup.",
    )
    buffer: Annotated[str, checked(BUFFER), SIZE] = Field(
        default="128MB",
        description="Memory for MariaDB's buffer pool, 16MB to 1024GB: about 70 % of a server "
        "that does nothing else.",
    )


class StorageSection(Section):
    """The shared storage: NFS from one storage server, GlusterFS on two or three."""

    mount: Annotated[str, checked(values.mount_point)] = Field(
        default="/srv/shared",
        description="Where each web server has the shared storage: a folder of its own, which "
        "no package uses.",
    )


class BackupSection(Section):
    """Backups of the database, the shared folders and the farm's secrets."""

    to: Annotated[str, checked(backup_words.place)] | None = Field(
        default=None,
        description="Where `stillup backup` puts them: a folder on this machine, or another one "
        "over SSH.",
        examples=["/var/backups/shop", "ssh://backup@nas.example/srv/shop"],
    )
    keep: int = Field(
        default=14, ge=1, le=1000, description="How many are kept, 1 to 1000; older ones go."
    )
    encrypt_to: list[Annotated[str, checked(backup_words.recipient)]] = Field(
        default_factory=list,
        description="Who can open them: recipients of [age](https://age-encryption.org). Without "
        "any they are in the clear.",
        examples=[["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]],
        max_length=16,
    )
    at: Annotated[str, checked(values.backup_text)] = Field(
        default="daily",
        description="When one is made, as systemd's calendar has it: `daily`, `*-*-* 03:30`.",
    )


class SshSection(Section):
    """How stillup reaches the servers. The lab brings its own keys and ignores this."""

    user: Annotated[str, checked(values.login)] = Field(
        default="root",
        description="The account to log in as. Any but root needs sudo without password.",
    )
    port: int = Field(default=22, ge=1, le=65535, description="The port of sshd, 1 to 65535.")
    key: LocalPath | None = Field(
        default=None,
        description="The private key to log in with; without it those of the SSH agent and of "
        "`~/.ssh`.",
        examples=["~/.ssh/id_ed25519"],
    )
    known_hosts: LocalPath | None = Field(
        default=None,
        description="The file with the servers' host keys; without it `~/.ssh/known_hosts`. A "
        "server that is not in it is not spoken to.",
        examples=["~/.ssh/known_hosts"],
    )


class PromisesSection(Section):
    """What the farm is held to."""

    outage: Annotated[str, checked(OUTAGE), DURATION] = Field(
        default="1s",
        description="The longest outage when a server dies unplanned, 10ms to 60min; no "
        "shorter than `vip.lease`.",
    )
    lost_writes: int = Field(
        default=0, ge=0, le=1_000_000, description="Acknowledged writes that may be lost then."
    )
    planned_failures: int = Field(
        default=0, ge=0, le=1_000_000, description="Requests that may fail during a planned change."
    )


class DrillsSection(Section):
    """What `stillup drill` may do to the real servers."""

    allow: list[Annotated[str, checked(values.fault_words)]] = Field(
        default_factory=list,
        description="The faults that may be played on the real servers, as `stillup drill --list` "
        "names them, with `*` for any; or whole sets of them, as `planned`. Without any, none is. "
        "The lab needs no permission.",
        examples=[["planned", "power-off web*"]],
        max_length=1000,
    )


class ServerSection(Section):
    """One server."""

    address: Address = Field(
        description="Its IPv4 address on the LAN.",
        examples=["10.0.0.2"],
    )
    roles: list[RoleWord] = Field(
        description="What it does: one or more of `balancer`, `web`, `database`, `storage`.",
        examples=[["balancer"]],
        min_length=1,
    )
    direct: Address | None = Field(
        default=None,
        description="A balancer's address in `network.direct`; only with that, and then required.",
        examples=["10.100.100.2"],
    )


class FarmFile(Section):
    """A farm file of stillup."""

    farm: FarmSection
    network: NetworkSection
    vip: VipSection
    site: SiteSection
    balancer: BalancerSection = BalancerSection()
    tls: TlsSection = TlsSection()
    web: WebSection = WebSection()
    database: DatabaseSection = DatabaseSection()
    storage: StorageSection = StorageSection()
    backup: BackupSection = BackupSection()
    ssh: SshSection = SshSection()
    promises: PromisesSection = PromisesSection()
    drills: DrillsSection = DrillsSection()
    servers: dict[Label, ServerSection] = Field(
        description="The servers, each by the name it is to have.",
        min_length=1,
    )


TABLES: Mapping[tuple[str, ...], type[Section]] = {
    (): FarmFile,
    ("farm",): FarmSection,
    ("network",): NetworkSection,
    ("vip",): VipSection,
    ("site",): SiteSection,
    ("balancer",): BalancerSection,
    ("tls",): TlsSection,
    ("web",): WebSection,
    ("database",): DatabaseSection,
    ("storage",): StorageSection,
    ("backup",): BackupSection,
    ("ssh",): SshSection,
    ("promises",): PromisesSection,
    ("drills",): DrillsSection,
    ("servers", "*"): ServerSection,
}
"""The shape of each table by its path; ``*`` stands for any server's name."""
