"""Each case: what is wrong with a farm in which all was well, the level, and every finding."""

from dataclasses import replace

from tests.unit.status.looks import (
    AT_S,
    NAMES,
    WEBS,
    Change,
    answered,
    beating,
    cut_from_us,
    everywhere,
    held_by,
    silent,
    told,
    unasked,
    web_seen,
)

from stillup.status.observed import Backend, Backups, Database, Disk, Observed
from stillup.status.verdict import Level

DOWN = Backend("DOWN", drained=False, check="L4CON")
DRAINED = Backend("DRAIN", drained=True, drained_by="user")
BY_APPLY = Backend("DRAIN", drained=True, drained_by="apply")
CHECKED = Backend("UP 1/3", drained=False)
FAILED = Backend("DOWN", drained=False, check="L7STS/503 Service Unavailable")


def backed_up(hours_ago: float | None) -> Change:
    """One backup a day, the newest so long ago; None for none."""
    newest_at_s = None if hours_ago is None else AT_S - hours_ago * 3600

    def change(observed: Observed) -> Observed:
        return replace(observed, backups=Backups(newest_at_s, every_s=24 * 3600))

    return change


CASES: dict[str, tuple[tuple[Change, ...], Level, list[str]]] = {
    "all well": ((), Level.SERVING, []),
    "a backup of yesterday": ((backed_up(47),), Level.SERVING, []),
    "no backup for two days": ((backed_up(49),), Level.SERVING, ["note backup-old"]),
    "no backup at all": ((backed_up(None),), Level.SERVING, ["note backup-old"]),
    # Whole servers.
    "a web server dead": (
        (silent("web2"), web_seen("web2", DOWN)),
        Level.AT_RISK,
        ["risk server-unreachable web2"],
    ),
    "the standby balancer dead": (
        (silent("lb2"),),
        Level.AT_RISK,
        ["risk server-unreachable lb2", "risk balancer-no-spare lb1"],
    ),
    "the holder dead and the other took over": (
        (silent("lb1"), held_by("lb2")),
        Level.AT_RISK,
        ["risk server-unreachable lb1", "risk balancer-no-spare lb2"],
    ),
    "the holder dead a moment ago": (
        (silent("lb1"), held_by(None), answered(None)),
        Level.DOWN,
        [
            "down vip-nobody",
            "down request-failed",
            "risk server-unreachable lb1",
            "risk balancer-no-spare lb2",
        ],
    ),
    "the holder hidden from us alone": (
        (cut_from_us("lb1"), held_by("lb1")),
        Level.AT_RISK,
        ["risk server-unreachable lb1", "risk balancer-no-spare lb2"],
    ),
    "both balancers dead": (
        (silent("lb1", "lb2"), held_by(None), answered(None)),
        Level.DOWN,
        [
            "down vip-nobody",
            "down request-failed",
            "risk server-unreachable lb1",
            "risk server-unreachable lb2",
            "risk votes-short",
        ],
    ),
    "one that does not let us in": (
        (silent("web3", code="server-refused"),),
        Level.AT_RISK,
        ["risk server-refused web3"],
    ),
    "nothing reached": (
        (silent(*NAMES), unasked),
        Level.DOWN,
        ["down no-server-reachable", *[f"risk server-unreachable {name}" for name in NAMES]],
    ),
    # The votes.
    "two voters dead": (
        (silent("web2", "web3"), web_seen("web2", DOWN), web_seen("web3", DOWN)),
        Level.AT_RISK,
        [
            "risk server-unreachable web2",
            "risk server-unreachable web3",
            "risk web-no-spare web1",
            "risk votes-short",
        ],
    ),
    "three voters dead, both balancers alive": (
        (silent("web2", "web3", "db1"), web_seen("web2", DOWN), web_seen("web3", DOWN)),
        Level.AT_RISK,
        [
            "risk server-unreachable web2",
            "risk server-unreachable web3",
            "risk server-unreachable db1",
            "risk web-no-spare web1",
            "risk votes-lost",
        ],
    ),
    "three voters and the holder dead": (
        (silent("lb1", "web2", "web3", "db1"), held_by(None), unasked),
        Level.DOWN,
        [
            "down vip-nobody",
            "down votes-lost",
            "risk server-unreachable lb1",
            "risk server-unreachable web2",
            "risk server-unreachable web3",
            "risk server-unreachable db1",
            "risk balancer-no-spare lb2",
        ],
    ),
    "a voter's daemon dead": (
        (
            told("web1", lambda seen: replace(seen, heartbeat=None)),
            beating("lb1", lambda beat: replace(beat, heard_ms={**beat.heard_ms, "web1": 90_000})),
        ),
        Level.AT_RISK,
        ["risk heartbeat-silent web1"],
    ),
    "a voter's daemon that the holder does not hear": (
        (beating("lb1", lambda beat: replace(beat, heard_ms={**beat.heard_ms, "web1": None})),),
        Level.AT_RISK,
        ["risk voter-unheard web1"],
    ),
    # The address.
    "two holders": (
        (held_by("lb1", claims=("lb1", "lb2")),),
        Level.AT_RISK,
        ["risk vip-two-holders"],
    ),
    "nobody holds it, and nobody asked": (
        (held_by(None), unasked),
        Level.DOWN,
        ["down vip-nobody"],
    ),
    "nobody held it, and then somebody answered": (
        (held_by(None),),
        Level.AT_RISK,
        ["risk vip-nobody"],
    ),
    "the standby unfit": (
        (beating("lb2", lambda beat: replace(beat, healthy=False, reason="HAProxy is dead")),),
        Level.AT_RISK,
        ["risk balancer-unfit lb2", "risk balancer-no-spare lb1"],
    ),
    "HAProxy silent on the standby": (
        (told("lb2", lambda seen: replace(seen, backends=None)),),
        Level.AT_RISK,
        ["risk haproxy-silent lb2", "risk balancer-no-spare lb1"],
    ),
    "an address that moves again and again": (
        (beating("lb2", lambda beat: replace(beat, moved_at_s=(AT_S - 60,) * 6)),),
        Level.SERVING,
        ["note vip-restless"],
    ),
    "moves of long ago": (
        (beating("lb2", lambda beat: replace(beat, moved_at_s=(AT_S - 6_000,) * 20)),),
        Level.SERVING,
        [],
    ),
    # Real requests.
    "every request failed, and nobody knows why": (
        (answered(503),),
        Level.DOWN,
        ["down request-failed"],
    ),
    "one asker's requests failed": (
        (answered(None, by="web2", error="nothing within 3 s"),),
        Level.AT_RISK,
        ["risk request-failed-somewhere"],
    ),
    # The web servers.
    "a web server down for both": (
        (web_seen("web2", FAILED),),
        Level.AT_RISK,
        ["risk web-down web2"],
    ),
    "a web server down for one": (
        (web_seen("web2", DOWN, "lb2"),),
        Level.AT_RISK,
        ["risk web-down-partly web2"],
    ),
    "a web server whose last check failed": ((web_seen("web2", CHECKED),), Level.SERVING, []),
    "a web server drained": (
        (web_seen("web2", DRAINED),),
        Level.SERVING,
        ["note web-drained web2"],
    ),
    "a web server drained at one": (
        (web_seen("web2", DRAINED, "lb1"),),
        Level.AT_RISK,
        ["risk web-drained-partly web2"],
    ),
    "a web server drained by an apply": (
        (web_seen("web2", BY_APPLY, "lb1"),),
        Level.SERVING,
        ["note web-drained-by-apply web2"],
    ),
    "all but one drained": (
        (web_seen("web2", DRAINED), web_seen("web3", DRAINED)),
        Level.AT_RISK,
        ["risk web-no-spare web1", "note web-drained web2", "note web-drained web3"],
    ),
    "no web server up": (
        (*(web_seen(web, FAILED) for web in WEBS), answered(503)),
        Level.DOWN,
        ["down web-none", "down request-failed"],
    ),
    "two releases": (
        (told("web3", lambda seen: replace(seen, release="r0")),),
        Level.AT_RISK,
        ["risk releases-differ"],
    ),
    "no release": (
        (everywhere(lambda seen: replace(seen, release=None)),),
        Level.SERVING,
        ["note release-none"],
    ),
    # The database.
    "the database down": (
        (
            told("db1", lambda seen: replace(seen, database=Database(alive=False, reason="gone"))),
            *(web_seen(web, FAILED) for web in WEBS),
            answered(503),
        ),
        Level.DOWN,
        ["down database-down db1", "down web-none", "down request-failed"],
    ),
    # Single servers.
    "an apply interrupted": (
        (told("lb2", lambda seen: replace(seen, unfinished=True)),),
        Level.AT_RISK,
        ["risk apply-unfinished lb2"],
    ),
    "a new server": (
        (told("web3", lambda seen: replace(seen, applied_at_s=None, heartbeat=None)),),
        Level.AT_RISK,
        ["risk never-applied web3"],
    ),
    "all servers new": (
        (
            everywhere(lambda seen: replace(seen, applied_at_s=None, heartbeat=None)),
            answered(None),
        ),
        Level.DOWN,
        ["down not-deployed"],
    ),
    "a unit failed": (
        (told("web1", lambda seen: replace(seen, units={"nginx.service": "failed"})),),
        Level.AT_RISK,
        ["risk unit-not-running web1"],
    ),
    "a firewall that another program flushed": (
        (told("web1", lambda seen: replace(seen, firewall=False)),),
        Level.AT_RISK,
        ["risk firewall-open web1"],
    ),
    "a daemon that was late and could not run in real time": (
        (beating("lb1", lambda beat: replace(beat, warnings=("it ran late", "it wants"))),),
        Level.SERVING,
        ["note heartbeat-near-fault lb1", "note heartbeat-near-fault lb1"],
    ),
    "a disk low": (
        (told("db1", lambda seen: replace(seen, disks=(Disk(), Disk("/srv", 500 << 20)))),),
        Level.AT_RISK,
        ["risk disk-low db1"],
    ),
    "a disk full": (
        (told("db1", lambda seen: replace(seen, disks=(Disk(free_bytes=1 << 20),))),),
        Level.AT_RISK,
        ["risk disk-full db1"],
    ),
    "a disk that the kernel allows no writing to": (
        (told("db1", lambda seen: replace(seen, disks=(Disk(), Disk("/srv", read_only=True)))),),
        Level.AT_RISK,
        ["risk disk-read-only db1"],
    ),
    "a clock apart": (
        (told("web2", lambda seen: replace(seen, clock_ahead_s=-4.0)),),
        Level.AT_RISK,
        ["risk clock-apart web2"],
    ),
    "our own clock apart": (
        (everywhere(lambda seen: replace(seen, clock_ahead_s=-4.0)),),
        Level.SERVING,
        [],
    ),
    "a clock that cannot be told better": (
        (told("web2", lambda seen: replace(seen, clock_ahead_s=-4.0, took_s=5.0)),),
        Level.SERVING,
        [],
    ),
}
