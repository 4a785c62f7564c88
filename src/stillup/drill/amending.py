"""What a drill puts into the engines' own configuration files (pure).

A comment, so that an apply has something to do on every server of every role; or a line that no
engine takes, so that its own checker has to refuse it.
"""

import re
from dataclasses import replace

from stillup.deploy.survey import Amend
from stillup.node.bundle import Bundle, File
from stillup.parts import balancer, database, web

FILES = {
    "haproxy": re.escape(balancer.CONFIG),
    "nginx": re.escape(web.NGINX_SITE),
    "php": r"/etc/php/[0-9.]+/fpm/pool\.d/site\.conf",
    "mariadb": re.escape(database.CONFIG),
}
"""Each engine's file, as an expression that matches its whole path."""
COMMENTS = {
    "haproxy": "# A drill was here.\n",
    "nginx": "# A drill was here.\n",
    "php": "; A drill was here.\n",
    "mariadb": "# A drill was here.\n",
}
BROKEN = {
    "haproxy": "this is no keyword\n",
    "nginx": "this_is_no_directive on;\n",
    "php": "pm.max_children = none\n",
    "mariadb": "this_is_no_option = 1\n",
}


def commented(bundle: Bundle) -> Bundle:
    """Return the bundle with a comment more in each engine's file."""
    for engine, line in COMMENTS.items():
        bundle = _with(bundle, engine, line)
    return bundle


def broken(engine: str) -> Amend:
    """Return what puts a line into an engine's file that its checker refuses."""
    return lambda bundle: _with(bundle, engine, BROKEN[engine])


def _with(bundle: Bundle, engine: str, line: str) -> Bundle:
    def amended(file: File) -> File:
        if re.fullmatch(FILES[engine], file.path) is None:
            return file
        return replace(file, text=f"{file.text.rstrip()}\n{line}")

    return replace(bundle, files=tuple(map(amended, bundle.files)))
