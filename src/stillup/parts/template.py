"""Renders the templates beside this module: native configuration files with a few holes.

A hole that nobody fills is an error (``StrictUndefined``), never an empty word in a live
configuration. Nothing is escaped by itself, as each engine quotes differently: what a user
wrote freely (passwords, paths) goes through a filter of ``stillup.parts.quote``.
"""

from collections.abc import Mapping
from functools import cache

import jinja2

from stillup.parts import quote


def render(name: str, values: Mapping[str, object]) -> str:
    """Return the template ``name`` (``balancer/haproxy.cfg.j2``) filled with ``values``.

    Raises:
        jinja2.UndefinedError: If the template asks for a value that is not there.
    """
    return _environment().get_template(name).render(values)


def text(name: str) -> str:
    """Return a file that is installed as it is, from the same folder as the templates."""
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillup.parts", "templates"),
        undefined=jinja2.StrictUndefined,
        # These are configuration files, not HTML; see the module's text for quoting.
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ini"] = quote.ini
    environment.filters["haproxy"] = quote.haproxy
    environment.filters["nginx"] = quote.nginx
    environment.filters["sql"] = quote.sql_string
    environment.filters["sql_name"] = quote.sql_name
    return environment
