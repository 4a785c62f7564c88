"""A verdict as JSON, for programs: the form that ``docs/status.md`` promises."""

from datetime import UTC, datetime

from stillup.model.farm import Farm
from stillup.node.message import Json, JsonObject
from stillup.status.observed import Asked, Disk, Observed, Unreached
from stillup.status.verdict import Finding, Redundancy, ServerStanding, Verdict, VipStanding


def as_json(farm: Farm, observed: Observed, verdict: Verdict) -> JsonObject:
    """Return the whole judgement; keys are only ever added to it, never renamed."""
    return {
        "farm": farm.name,
        "at": _instant(observed.at_s),
        "verdict": verdict.level.value,
        "why": verdict.why,
        "vips": [_vip(vip) for vip in verdict.vips],
        "servers": [_server(observed, server) for server in verdict.servers],
        "redundancy": [_redundancy(kind) for kind in verdict.redundancy],
        "requests": [_request(asked) for asked in observed.asked],
        "problems": [_problem(finding) for finding in verdict.problems],
    }


def _instant(at_s: float | None) -> str | None:
    if at_s is None:
        return None
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def _vip(vip: VipStanding) -> Json:
    return {
        "address": vip.address,
        "holder": vip.holder,
        "since_s": vip.since_s,
        "claims": list(vip.claims),
    }


def _server(observed: Observed, standing: ServerStanding) -> Json:
    told: JsonObject = {
        "name": standing.name,
        "address": standing.address,
        "roles": [role.value for role in standing.roles],
        "reachable": standing.reachable,
        "state": standing.state,
        "worst": standing.severity.value if standing.severity is not None else None,
        "seen_as": dict(standing.seen_as),
    }
    seen = observed.reached(standing.name)
    if seen is not None:
        told |= {
            "load": seen.load,
            "disk_free_bytes": seen.fullest.free_bytes,
            "disk_size_bytes": seen.fullest.size_bytes,
            "disks": [_disk(disk) for disk in seen.disks],
            "uptime_s": seen.uptime_s,
            "clock_ahead_s": round(seen.clock_ahead_s, 3),
            "release": seen.release,
            "applied_at": _instant(seen.applied_at_s),
            "as_written": None if seen.wanted is None else seen.wanted == seen.bundle,
            "unfinished": seen.unfinished,
            "units": dict(seen.units),
        }
    for one in observed.servers:
        if isinstance(one, Unreached) and one.name == standing.name:
            told["reason"] = one.reason
    return told


def _disk(disk: Disk) -> Json:
    return {
        "path": disk.path,
        "free_bytes": disk.free_bytes,
        "size_bytes": disk.size_bytes,
        "read_only": disk.read_only,
    }


def _redundancy(kind: Redundancy) -> Json:
    return {
        "what": kind.what,
        "working": kind.working,
        "total": kind.total,
        "needed": kind.needed,
        "may_fail": kind.may_fail,
        "may_fail_by_design": kind.by_design,
    }


def _request(asked: Asked) -> Json:
    return {
        "from": asked.by,
        "url": asked.url,
        "status": asked.status,
        "balancer": asked.balancer,
        "took_ms": round(asked.took_s * 1000, 1),
        "error": asked.error,
        "certificate_expires_in_s": asked.expires_in_s,
    }


def _problem(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "server": finding.server,
        "text": finding.text,
        "way_out": finding.way_out,
    }
