"""What is wrong with the virtual IP: its holder, its votes, the balancers that could take it."""

from collections.abc import Iterator

from stillup.model.farm import Farm, Role
from stillup.status import picture
from stillup.status.observed import Asked, Observed, Reached
from stillup.status.verdict import Finding, Severity

DAY_S = 86_400.0
CERTIFICATE_RISK_S = 7 * DAY_S
CERTIFICATE_NOTE_S = 30 * DAY_S
RESTLESS_WITHIN_S = 600.0
RESTLESS_CHANGES = 6
"""A move is one change or two: one that gives the address up, one that takes it."""


def findings(farm: Farm, observed: Observed) -> Iterator[Finding]:
    """Yield every problem of the address, causes before symptoms."""
    for address in map(str, farm.vip.addresses):
        yield from _two_holders(farm, observed, address)
        yield from _nobody(farm, observed, address)
        yield from _not_preferred(farm, observed, address)
    yield from _restless(farm, observed)
    yield from _votes(farm, observed)
    yield from _unheard(farm, observed)
    for seen in picture.seen_with(farm, observed, Role.BALANCER):
        yield from _unfit(seen)
    yield from _no_spare(farm, observed)


def requests(observed: Observed) -> Iterator[Finding]:
    """Yield what real requests through the address ran into: the symptom, told last."""
    failed = [asked for asked in observed.asked if not asked.answered]
    if failed:
        everywhere = len(failed) == len(observed.asked)
        yield Finding(
            "request-failed" if everywhere else "request-failed-somewhere",
            Severity.DOWN if everywhere else Severity.RISK,
            _failures(failed),
            "see the problems above; if there is none, `journalctl -u haproxy` on the holder",
        )
    yield from _certificate(observed)


def _failures(failed: list[Asked]) -> str:
    """Return each address with its answer once, and who asked."""
    askers: dict[str, list[str]] = {}
    for asked in failed:
        askers.setdefault(f"{asked.url} {_answer(asked)}", []).append(asked.by)
    return "; ".join(f"{said} (asked from {', '.join(by)})" for said, by in askers.items())


def _answer(asked: Asked) -> str:
    if asked.status is None:
        return f"gave no answer: {asked.error}"
    return f"was answered {asked.status}"


def _two_holders(farm: Farm, observed: Observed, address: str) -> Iterator[Finding]:
    claiming = picture.claims(farm, observed, address)
    if len(claiming) > 1:
        yield Finding(
            "vip-two-holders",
            Severity.RISK,
            f"{' and '.join(claiming)} both say that they hold {address}, which must never be",
            "stop stillup-heartbeat.service on one of them, and report this as a fault of stillup",
        )


def _nobody(farm: Farm, observed: Observed, address: str) -> Iterator[Finding]:
    if picture.holder(farm, observed, address) is not None:
        return
    silent = [s.name for s in farm.having(Role.BALANCER) if observed.reached(s.name) is None]
    if silent and not picture.seen_with(farm, observed, Role.BALANCER):
        text = f"no balancer answers ({', '.join(silent)}), and nobody knows who holds {address}"
        way_out = "start one balancer; it takes the address by itself"
    else:
        text = f"nobody holds {address}"
        way_out = "a balancer takes it as soon as it is healthy and has its votes; see below"
    yield Finding("vip-nobody", Severity.DOWN, text, way_out)


def _not_preferred(farm: Farm, observed: Observed, address: str) -> Iterator[Finding]:
    holder = picture.holder(farm, observed, address)
    preferred = farm.vip.preferred_for(address)
    if holder is None or preferred is None or holder == preferred:
        return
    if picture.fit(observed.reached(preferred)):
        yield Finding(
            "vip-not-preferred",
            Severity.NOTE,
            f"{holder} holds {address}, and {preferred} is preferred and healthy",
            "nothing: it moves back by itself"
            if farm.vip.failback
            else f"`stillup failover --to {preferred}` moves it there",
            holder,
        )


def _restless(farm: Farm, observed: Observed) -> Iterator[Finding]:
    changes = max(
        (
            sum(at_s > observed.at_s - RESTLESS_WITHIN_S for at_s in seen.heartbeat.moved_at_s)
            for seen in picture.seen_with(farm, observed, Role.BALANCER)
            if seen.heartbeat is not None
        ),
        default=0,
    )
    if changes >= RESTLESS_CHANGES:
        yield Finding(
            "vip-restless",
            Severity.NOTE,
            f"the holder of the address changed {changes} times in the last ten minutes",
            "`python3 -m stillup.heartbeat status` on a balancer tells when and why",
        )


def _votes(farm: Farm, observed: Observed) -> Iterator[Finding]:
    if not any(seen.heartbeat is not None for seen in picture.reached(observed)):
        return  # There is nothing to count; that no daemon answers is said for each server.
    voting, need = picture.voting(farm, observed), picture.majority(farm)
    all_balancers = all(server.name in voting for server in farm.having(Role.BALANCER))
    counted = f"{len(voting)} of {len(farm.servers)} votes are there and {need} are needed"
    way_out = "start the servers and heartbeat daemons that are named below"
    if len(voting) > need:
        return
    if len(voting) == need:
        text = f"{counted}: when one more is lost, the address cannot move"
        yield Finding("votes-short", Severity.RISK, text, way_out)
    elif all_balancers:
        text = f"{counted}: the address lives only as long as every balancer does"
        yield Finding("votes-lost", Severity.RISK, text, way_out)
    else:
        text = f"{counted}: no balancer may hold the address"
        yield Finding("votes-lost", Severity.DOWN, text, way_out)


def _unheard(farm: Farm, observed: Observed) -> Iterator[Finding]:
    for name in picture.unheard(farm, observed):
        yield Finding(
            "voter-unheard",
            Severity.RISK,
            f"the heartbeat of {name} runs, but the holder of the address does not hear it",
            f"look for what drops UDP port 6940 between them: `nft list ruleset` on {name}",
            name,
        )


def _unfit(seen: Reached) -> Iterator[Finding]:
    if seen.backends is None:
        yield Finding(
            "haproxy-silent",
            Severity.RISK,
            f"HAProxy on {seen.name} does not answer",
            f"see `journalctl -u haproxy` on {seen.name}; `stillup apply` starts it again",
            seen.name,
        )
    elif seen.heartbeat is not None and not seen.heartbeat.healthy:
        yield Finding(
            "balancer-unfit",
            Severity.RISK,
            f"{seen.name} may not hold the address: {seen.heartbeat.reason or 'no reason given'}",
            f"see `journalctl -u stillup-heartbeat` on {seen.name}",
            seen.name,
        )


def _no_spare(farm: Farm, observed: Observed) -> Iterator[Finding]:
    balancers = farm.having(Role.BALANCER)
    fit = [server.name for server in balancers if picture.fit(observed.reached(server.name))]
    if len(balancers) > 1 and len(fit) == 1:
        yield Finding(
            "balancer-no-spare",
            Severity.RISK,
            f"{fit[0]} is the only balancer left: when it dies, nobody takes the address",
            "bring the other balancer back; see the problems that name it",
            fit[0],
        )


def _certificate(observed: Observed) -> Iterator[Finding]:
    left = [asked.expires_in_s for asked in observed.asked if asked.expires_in_s is not None]
    if not left or (left_s := min(left)) > CERTIFICATE_NOTE_S:
        return
    if left_s <= 0:
        severity, text = Severity.RISK, "the certificate has expired, and browsers refuse it"
    else:
        severity = Severity.RISK if left_s < CERTIFICATE_RISK_S else Severity.NOTE
        text = f"the certificate expires in {left_s / DAY_S:.0f} days"
    way_out = "put a new one in place ([tls] certificate and key) and run `stillup apply`"
    yield Finding("certificate-expires", severity, text, way_out)
