"""What is wrong right behind the balancers: the web servers and their releases."""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role
from stillup.status import picture
from stillup.status.observed import Backend, Observed
from stillup.status.verdict import Finding, Severity


def findings(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield every problem behind the balancers, causes before symptoms."""
    up = picture.web_up(farm, observed)
    if up == ():
        yield Finding(
            "web-none",
            Severity.DOWN,
            f"no web server is up in the balancers' eyes{_check_words(farm, observed)}",
            f"ask one of them: `curl http://{_first_web(farm)}{farm.balancer.check}` from a "
            "balancer; the health page asks PHP and the database",
        )
    else:
        for server in farm.having(Role.WEB):
            yield from _one_web(farm, observed, server.name)
    if up is not None and len(up) == 1 and len(farm.having(Role.WEB)) > 1:
        yield Finding(
            "web-no-spare",
            Severity.RISK,
            f"{up[0]} is the only web server left: when it dies, nobody serves the site",
            "bring another web server back; see the problems that name one",
            up[0],
        )
    yield from _releases(farm, observed)


def _first_web(farm: Farm) -> str:
    return next((str(server.address) for server in farm.having(Role.WEB)), "WEB-SERVER")


def _check_words(farm: Farm, observed: Observed) -> str:
    """Return what the checks say, when they all say the same."""
    said = {
        backend.check
        for server in farm.having(Role.WEB)
        for backend in picture.views(farm, observed, server.name).values()
    }
    word = said.pop() if len(said) == 1 else ""
    return f" (their health page: {word})" if word else ""


def _one_web(farm: Farm, observed: Observed, name: str) -> Iterator[Finding]:
    views = picture.views(farm, observed, name)
    drained = {b: backend for b, backend in views.items() if backend.drained}
    down = [b for b, backend in views.items() if not backend.up and not backend.drained]
    if drained:
        yield _drained(name, drained, everywhere=len(drained) == len(views))
    elif down and observed.reached(name) is not None:
        # Of one that does not answer us either, the rule for unreachable servers tells.
        yield _down(name, down, views)


def _drained(name: str, drained: dict[str, Backend], *, everywhere: bool) -> Finding:
    if all(backend.drained_by == "apply" for backend in drained.values()):
        return Finding(
            "web-drained-by-apply",
            Severity.NOTE,
            f"{name} is drained for a change that is under way or was interrupted",
            "wait for the `stillup apply` that does it; if there is none, run it again",
            name,
        )
    if everywhere:
        return Finding(
            "web-drained",
            Severity.NOTE,
            f"{name} is drained: it finishes what it has and gets no new users",
            f"`stillup undrain {name}` when it may serve again",
            name,
        )
    return Finding(
        "web-drained-partly",
        Severity.RISK,
        f"{name} is drained at {' and '.join(drained)} only",
        f"`stillup drain {name}` or `stillup undrain {name}` tells every balancer the same",
        name,
    )


def _down(name: str, down: list[str], views: dict[str, Backend]) -> Finding:
    word = views[down[0]].check
    why = f" (its health page: {word})" if word else ""
    if len(down) == len(views):
        text = f"{name} is down in the eyes of {' and '.join(down)}{why}"
        way_out = f"see nginx and PHP-FPM on {name}; `stillup apply` starts them again"
        return Finding("web-down", Severity.RISK, text, way_out, name)
    up = [balancer for balancer in views if balancer not in down]
    return Finding(
        "web-down-partly",
        Severity.RISK,
        f"{name} is down in the eyes of {' and '.join(down)}{why}, but up for {' and '.join(up)}",
        f"look at the network between {' and '.join(down)} and {name}",
        name,
    )


def _releases(farm: Farm, observed: Observed) -> Iterator[Finding]:
    seen = picture.seen_with(farm, observed, Role.WEB)
    by_release: dict[str | None, list[str]] = {}
    for server in seen:
        by_release.setdefault(server.release, []).append(server.name)
    if len(by_release) > 1:
        told = "; ".join(
            f"{', '.join(names)}: {release or 'none'}" for release, names in by_release.items()
        )
        yield Finding(
            "releases-differ",
            Severity.RISK,
            f"the web servers do not serve the same release ({told})",
            "`stillup release` puts the same one on all of them",
        )
    elif seen and None in by_release:
        yield Finding(
            "release-none",
            Severity.NOTE,
            "no release of the site is on the web servers",
            "`stillup release` puts it there",
        )
