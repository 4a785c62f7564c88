"""What speaks against beginning an apply, each with what would override it (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from stillup.deploy.births import not_founding
from stillup.deploy.impact import disturbs_address, stops_database
from stillup.deploy.last_copies import lost_copies
from stillup.deploy.membership import Rounds
from stillup.deploy.standing import BY_USER
from stillup.deploy.view import Situation
from stillup.model.farm import Role


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason not to begin. ``forced_by`` is the option that overrides it, "" for none."""

    code: str
    text: str
    forced_by: str = ""

    def __str__(self) -> str:
        return f"{self.text} [{self.code}]"


def refusals(situation: Situation, changing: Rounds | None) -> tuple[Refusal, ...]:
    """Return every reason not to begin, in the order for a person to read them.

    ``changing``: the rounds that change who votes; None if nothing of the kind changes.
    """
    return (
        *_unreached(situation),
        *_by_hand(situation),
        *(Refusal(*words) for words in (changing.refused if changing else ())),
        *(Refusal(*words) for words in lost_copies(situation)),
        *(Refusal(*words) for words in not_founding(situation)),
        *_ill_webs(situation),
        *_releases(situation),
    )


def warnings(situation: Situation) -> tuple[str, ...]:
    """Return what a person should know before; nothing here stops anything."""
    return tuple(_warnings(situation))


def _unreached(situation: Situation) -> Iterator[Refusal]:
    for sentence in situation.unreached.values():
        yield Refusal("unreachable", sentence, "--skip-unreachable")


def _by_hand(situation: Situation) -> Iterator[Refusal]:
    for name, standing in situation.standings.items():
        paths = [change.name for change in standing.changes if change.by_hand]
        if paths:
            yield Refusal(
                "changed-by-hand",
                f"{name}: {', '.join(paths)} {'was' if len(paths) == 1 else 'were'} changed by "
                "hand; `stillup plan` shows how; put what you want to keep into the farm file, or "
                "let --overwrite replace it (a copy is kept on the server)",
                "--overwrite",
            )


def _ill_webs(situation: Situation) -> Iterator[Refusal]:
    """With one web server down, a change to the others could take the last one down too."""
    ill = [
        web
        for web in situation.webs
        if situation.seen_by(web)
        and situation.is_served_by(web)
        and not situation.is_up(web)
        and not situation.to_change(web)
    ]
    well = [web for web in situation.webs if situation.is_up(web) and situation.to_change(web)]
    if ill and well:
        yield Refusal(
            "web-server-down",
            f"{', '.join(ill)} {'is' if len(ill) == 1 else 'are'} down in the balancers' eyes and "
            f"would not be changed, so {', '.join(well)} would be changed with less to fall back "
            "on; `stillup status` says why, --force goes on",
            "--force",
        )


def _releases(situation: Situation) -> Iterator[Refusal]:
    if not situation.without_release:
        return
    served = {
        release
        for web in situation.webs
        if (release := situation.standings[web].release) is not None
    }
    if served and situation.release not in served:
        yield Refusal(
            "release-differs",
            f"{', '.join(situation.without_release)} has no release of the site yet, and the local "
            f"folder {situation.farm.site.source} is not what the others serve "
            f"({', '.join(sorted(served))}); `stillup release` brings it to the others first",
        )


def _is_in_use(situation: Situation, web: str) -> bool:
    return situation.is_up(web) and not situation.is_kept_drained(web)


def _warnings(situation: Situation) -> Iterator[str]:
    for name, standing in situation.standings.items():
        if standing.first or not standing.to_change:
            continue
        if stops_database(standing) and not situation.copy(name, Role.DATABASE):
            yield f"{name}: MariaDB restarts; the site is without its database for that moment"
        if standing.holding and not situation.peers(name) and disturbs_address(standing):
            yield f"{name} is the only balancer; the site is away while it is changed"
        others = [other for other in situation.webs if situation.to_change(other)]
        if _is_in_use(situation, name) and not situation.may_drain(name, others):
            yield f"{name} is the only web server in use; requests may fail while it is changed"
    for web in situation.webs:
        if situation.drained_by(web, BY_USER):
            yield f"{web} is drained, and stays so; `stillup undrain {web}` gives it users again"
