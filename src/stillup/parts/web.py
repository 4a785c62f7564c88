"""nginx and PHP-FPM on a web server.

The templates say why for each setting. Paths that differ between Debian releases go by the
server's PHP version.
"""

import json
import re

from stillup.model.farm import Farm, Role, Secrets, Server
from stillup.node.bundle import Absent, Bundle, Check, Directory, Facts, File, Health, Link, Unit
from stillup.parts import database_proxy, nfs, ports
from stillup.parts.base import kept_running
from stillup.parts.template import render, text

SITE = "/srv/site"
NGINX = "/etc/nginx/nginx.conf"
NGINX_SITE = "/etc/nginx/conf.d/site.conf"
SHARED = "/etc/stillup/site-shared.json"
OPCACHE = "/usr/lib/stillup/opcache.php"
SESSIONS = "/usr/lib/stillup/sessions.php"
UPLOADS = ("uploads", "files", "media", "wp-content/uploads")
"""Where users' files are in most sites: nothing there is run, nor in the shared folders."""
PING = f"http://127.0.0.1:{ports.PING}/ping"


def wanted(farm: Farm, server: Server, secrets: Secrets, facts: Facts) -> Bundle:
    """Return what the web server ``server`` needs."""
    fragments = (
        _nginx(farm, server),
        _php(farm, server, secrets, facts.php),
    )
    return Bundle(
        farm.name,
        server.name,
        directories=tuple(item for part in fragments for item in part.directories),
        links=tuple(item for part in fragments for item in part.links),
        files=tuple(item for part in fragments for item in part.files),
        absent=tuple(item for part in fragments for item in part.absent),
        checks=tuple(item for part in fragments for item in part.checks),
        units=tuple(item for part in fragments for item in part.units),
        healths=tuple(item for part in fragments for item in part.healths),
    )


def _nginx(farm: Farm, server: Server) -> Bundle:
    whole = farm.site.shared == nfs.WHOLE
    values = {
        "farm": farm,
        "server": server,
        "balancers": farm.having(Role.BALANCER),
        "root": _document_root(farm),
        "uploads": (*UPLOADS, *_shared_pages(farm)),
        "ports": ports,
    }
    return Bundle(
        farm.name,
        server.name,
        directories=() if whole else (Directory(SITE), Directory(f"{SITE}/releases")),
        # The releases, too, are on the storage then, and made when it is mounted.
        links=(Link(SITE, farm.storage.mount),) if whole else (),
        files=(
            File(NGINX, text("web/nginx.conf")),
            kept_running("nginx.service"),
            File(NGINX_SITE, render("web/site.conf.j2", values)),
            *_shared(farm),
        ),
        absent=(Absent("/etc/nginx/sites-enabled/default"),),
        checks=(Check("nginx", ("/usr/sbin/nginx", "-t", "-q"), (NGINX, NGINX_SITE)),),
        units=(Unit("nginx.service", reload_on=(NGINX, NGINX_SITE)),),
        healths=(
            Health(
                "nginx and PHP answer",
                ("/usr/bin/curl", "-sS", "--fail", "--max-time", "2", PING),
            ),
        ),
    )


def _php(farm: Farm, server: Server, secrets: Secrets, version: str) -> Bundle:
    folder = f"/etc/php/{version}/fpm"
    paths = {name: f"{folder}/{name}" for name in ("pool.d/site.conf", "pool.d/site-env.conf")}
    settings = f"{folder}/conf.d/90-stillup.ini"
    values = {
        "farm": farm,
        "server": server,
        "php": version,
        "workers": farm.web.php_workers,
        "memory_mb": max(1, farm.web.php_memory_bytes >> 20),
        "upload_mb": max(1, farm.web.upload_bytes >> 20),
        "database_address": database_proxy.address(farm),
        "password": secrets.database_password,
        "sessions": SESSIONS,
        "pages_folder": nfs.pages_folder(farm) if farm.site.shared == nfs.WHOLE else "",
    }
    # Not opcache.php: it is loaded anew whenever it is asked. sessions.php is, as the cache of
    # compiled pages does not look at files again.
    watched = (*paths.values(), settings, SESSIONS)
    return Bundle(
        farm.name,
        server.name,
        directories=(Directory("/usr/lib/stillup"),),
        files=(
            File(paths["pool.d/site.conf"], render("web/fpm-site.conf.j2", values)),
            File(
                paths["pool.d/site-env.conf"],
                render("web/fpm-env.conf.j2", values),
                mode=0o600,
                secret=True,
            ),
            File(settings, render("web/php.ini.j2", values)),
            kept_running(f"php{version}-fpm.service"),
            File(OPCACHE, text("web/opcache.php")),
            File(SESSIONS, text("web/sessions.php")),
            File("/etc/logrotate.d/stillup-php", render("web/logrotate.j2", values)),
        ),
        absent=(Absent(f"{folder}/pool.d/www.conf"),),
        checks=(Check("PHP-FPM", (f"/usr/sbin/php-fpm{version}", "-t"), watched),),
        units=(Unit(f"php{version}-fpm.service", reload_on=watched),),
    )


def _shared(farm: Farm) -> tuple[File, ...]:
    """Return which folders of a release lead to the storage; with the whole site there, none."""
    folders = [folder for folder in farm.site.shared if folder != "."]
    if not folders:
        return ()
    settings = {"mount": farm.storage.mount, "folders": folders}
    return (File(SHARED, json.dumps(settings, indent=2) + "\n"),)


def _shared_pages(farm: Farm) -> tuple[str, ...]:
    """Return the shared folders as nginx's expressions see them: below the folder that it serves."""
    root = farm.site.document_root.strip("./")
    inside = [f"{folder}/".removeprefix(f"{root}/" if root else "") for folder in farm.site.shared]
    names = [folder.strip("/") for folder in inside if folder not in {"./", ""}]
    return tuple(re.escape(name) for name in names if name not in UPLOADS)


def _document_root(farm: Farm) -> str:
    inside = farm.site.document_root.strip("/")
    return f"{SITE}/current" if inside in {"", "."} else f"{SITE}/current/{inside}"
