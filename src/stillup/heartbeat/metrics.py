"""The daemon's status for Prometheus: pure text of a value.

Names and units as Prometheus has them: base units (seconds), counters end in ``_total`` and count
since the process began (a reload begins a new one, which Prometheus notices by itself).

Source: "Text-based format" and "Metric and label naming" in the documentation of Prometheus.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stillup.heartbeat.settings_reader import Json

PREFIX = "stillup_heartbeat_"


@dataclass(slots=True)
class Metric:
    """One metric and its samples, each a value under labels."""

    name: str
    kind: str
    help: str
    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def add(self, value: Json, **labels: str) -> "Metric":
        """Add a sample; what is no number is no sample."""
        if isinstance(value, bool | int | float):
            self.samples.append((labels, float(value)))
        return self

    def lines(self) -> Iterator[str]:
        """Yield its lines; none if it has no sample."""
        if not self.samples:
            return
        name = PREFIX + self.name
        yield f"# HELP {name} {self.help}"
        yield f"# TYPE {name} {self.kind}"
        for labels, value in self.samples:
            inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{name}{{{inner}}} {value:.10g}" if inner else f"{name} {value:.10g}"


def text(status: Mapping[str, Json]) -> str:
    """Return the metrics of a daemon's status, one line each, with a line end.

    Args:
        status: What the operation ``status`` answers.
    """
    metrics = [*_daemon(status), *_datagrams(status), *_voters(status), *_addresses(status)]
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def _daemon(status: Mapping[str, Json]) -> list[Metric]:
    late = _object(status.get("lateness_ms"))
    labels = {key: str(status.get(key, "")) for key in ("farm", "name", "version")}
    return [
        _gauge("info", "What runs here; always 1.").add(1, **labels),
        _gauge("lease_seconds", "How long a vote lasts.").add(_seconds(status.get("lease_ms"))),
        _gauge("healthy", "Whether this server is fit to hold.").add(status.get("healthy")),
        _gauge("silent_seconds", "How long its vote is not given after a start.").add(
            status.get("silent_s")
        ),
        _gauge("lateness_recent_seconds", "The latest timer of the last minute or two.").add(
            _seconds(late.get("recent"))
        ),
        _gauge("lateness_longest_seconds", "The latest timer since the start.").add(
            _seconds(late.get("max"))
        ),
        _gauge("warnings", "How many things come near to a fault; `status` says which.").add(
            len(_list(status.get("warnings")))
        ),
    ]


def _datagrams(status: Mapping[str, Json]) -> list[Metric]:
    told = _object(status.get("datagrams"))
    refused = _counter("datagrams_refused_total", "Datagrams not believed, by reason.")
    for reason, count in _object(told.get("refused")).items():
        refused.add(count, reason=reason)
    unsent = _counter("datagrams_unsent_total", "Datagrams the kernel did not take, by its error.")
    for reason, count in _object(told.get("unsent")).items():
        unsent.add(count, reason=reason)
    return [
        _counter("datagrams_sent_total", "Datagrams sent.").add(told.get("sent")),
        _counter("datagrams_received_total", "Datagrams believed.").add(told.get("received")),
        _counter("floods_total", "How often reading paused, as too much came in.").add(
            told.get("floods")
        ),
        refused,
        unsent,
    ]


def _voters(status: Mapping[str, Json]) -> list[Metric]:
    silent = _gauge("voter_silence_seconds", "How long ago each other server was heard.")
    for name, voter in _object(status.get("voters")).items():
        silent.add(_seconds(_object(voter).get("heard_ms")), voter=name)
    return [silent]


def _addresses(status: Mapping[str, Json]) -> list[Metric]:
    gauges = {
        "holding": _gauge("holding", "Whether this server holds the virtual IP."),
        "known": _gauge("holder_known", "Whether this server knows of a holder."),
        "lease_left_ms": _gauge("lease_left_seconds", "What is left of the lease known here."),
        "votes": _gauge("votes", "Votes behind this server's lease; 0 where it holds none."),
        "moves": _counter("moves_total", "Changes of the holder seen here."),
        "draining": _gauge("draining_connections", "Open connections after it was given away."),
    }
    kernel = {
        "left_ms": _gauge("kernel_lease_left_seconds", "What is left of the kernel's lease."),
        "slowest_renewal_ms": _gauge(
            "slowest_renewal_seconds", "The longest time between two renewals lately."
        ),
        "late_renewals": _counter("renewals_late_total", "Renewals the kernel found too late."),
        "rules_restored": _counter("rules_restored_total", "How often rules were made again."),
        "address_restored": _counter("address_restored_total", "How often it was put back."),
        "announcements": _counter("announcements_total", "Announcements sent."),
        "foreign_claims": _counter("foreign_claims_total", "Claims of others heard."),
    }
    for each in map(_object, _list(status.get("vips"))):
        address = str(each.get("address"))
        gauges["holding"].add(each.get("holding"), address=address)
        gauges["known"].add(each.get("holder") is not None, address=address)
        gauges["lease_left_ms"].add(_seconds(each.get("lease_left_ms")), address=address)
        gauges["votes"].add(len(_list(each.get("votes"))), address=address)
        gauges["moves"].add(each.get("moves_seen"), address=address)
        gauges["draining"].add(_object(each.get("handing")).get("open"), address=address)
        told = _object(each.get("kernel"))
        for key, metric in kernel.items():
            value = told.get(key)
            metric.add(_seconds(value) if key.endswith("_ms") else value, address=address)
    return [*gauges.values(), *kernel.values()]


def _gauge(name: str, words: str) -> Metric:
    return Metric(name, "gauge", words)


def _counter(name: str, words: str) -> Metric:
    return Metric(name, "counter", words)


def _seconds(milliseconds: Json) -> Json:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
