"""What Prometheus may scrape: counters of serving, and where learning stands."""

from collections.abc import Iterable
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from croupier.apps.serve.gate import REFUSALS
from croupier.apps.serve.ingest import CODES
from croupier.apps.serve.service import Service
from croupier.core.barred import kept_out
from croupier.core.duration import SECOND
from croupier.core.records import Reason
from croupier.ports import EVENTS

STATUSES = ("400", "401", "403", "404", "413", "422", "429", "500", "503")
"""What the gate and the hot doors answer when they refuse."""

_COUNTS = {
    "observations": "Trials that were learned",
    "imported": "Past trials that were imported",
    "late": "Records set aside because their story had ended",
    "repeat": "Later decisions of a session: their outcomes counted, they were not trials",
    "holdout": "Trials of the holdout",
    "pinned": "Trials of pinned arms",
    "default": "Trials of defaults that were shown because no snapshot was there",
}


class ServiceMetrics(Collector):
    """Reads the service and its stores when it is scraped; the hot path only counts."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering must not read the stores."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All metrics, as of now."""
        yield from self._served()
        yield from self._snapshots()
        yield from self._learned()

    def _served(self) -> Iterable[Metric]:
        counters = self._service.counters
        decisions = CounterMetricFamily(
            "croupier_decisions", "Decisions answered", labels=["experiment", "reason"]
        )
        degraded = CounterMetricFamily(
            "croupier_decisions_degraded",
            "Decisions made while learning had stopped",
            labels=["experiment"],
        )
        unused = CounterMetricFamily(
            "croupier_events_without_effect",
            "Outcomes accepted of a kind that the reward does not name: misspelt?",
            labels=["experiment"],
        )
        for name in self._service.experiments:
            unused.add_metric([name], counters["without_effect", name])
            for reason in get_args(Reason):
                decisions.add_metric([name, reason], counters["decision", name, reason])
            degraded.add_metric([name], counters["degraded", name])
        rejected = CounterMetricFamily(
            "croupier_events_rejected", "Events refused, by reason", labels=["reason"]
        )
        for code in CODES:
            rejected.add_metric([code], counters["rejected", code])
        errors = CounterMetricFamily(
            "croupier_http_errors",
            "Answers of gate and hot doors other than success",
            labels=["status"],
        )
        for status in STATUSES:
            errors.add_metric([status], counters["http_error", status])
        refused = CounterMetricFamily(
            "croupier_refused", "Requests refused at the gate, by reason", labels=["reason"]
        )
        for why in REFUSALS:
            refused.add_metric([why], counters["refused", why])
        yield from (decisions, degraded, rejected, unused, errors, refused)
        yield CounterMetricFamily(
            "croupier_events_accepted", "Events made durable", value=counters["accepted",]
        )

    def _snapshots(self) -> Iterable[Metric]:
        version = GaugeMetricFamily(
            "croupier_snapshot_version", "Snapshot being served", labels=["experiment"]
        )
        weight = GaugeMetricFamily(
            "croupier_weight", "Share of an arm in that snapshot", labels=["experiment", "arm"]
        )
        age = GaugeMetricFamily(
            "croupier_snapshot_age_seconds",
            "Since the snapshot being served was published; it stays while nothing is learned",
            labels=["experiment"],
        )
        for name in self._service.experiments:
            snapshot = self._service.snapshot(name)
            if snapshot is not None:
                age.add_metric([name], (self._service.clock.now() - snapshot.at) / SECOND)
                version.add_metric([name], snapshot.version)
                for arm, share in zip(snapshot.names, snapshot.weights, strict=True):
                    weight.add_metric([name, arm], share)
        yield version
        yield age
        yield weight
        yield from self._barred()

    def _barred(self) -> Iterable[Metric]:
        """Arms that a guardrail keeps from being shown; nothing where no guardrail is declared."""
        book = self._service.declarations
        guarded = [n for n in self._service.experiments if book.latest(n).spec.guardrails]
        metric = GaugeMetricFamily(
            "croupier_barred_arms",
            "Arms that are shown no more because they broke a guardrail",
            labels=["experiment", "guardrail"],
        )
        for name in guarded:
            snapshot = self._service.snapshot(name)
            barred = kept_out(snapshot.barred if snapshot else (), book.arms(name))
            found = [each.guardrail for each in barred]
            for guardrail in book.latest(name).spec.guardrails:
                metric.add_metric([name, guardrail], found.count(guardrail))
        if guarded:
            yield metric

    def _learned(self) -> Iterable[Metric]:
        standing = self._service.states.load(strata=())
        for what, text in _COUNTS.items():
            metric = CounterMetricFamily(f"croupier_{what}", text, labels=["experiment"])
            for name in self._service.declarations.names():
                metric.add_metric([name], standing.counts.get((name, what), 0))
            yield metric
        stories = GaugeMetricFamily(
            "croupier_open_stories", "Stories and sessions not closed yet", labels=["experiment"]
        )
        for name in self._service.declarations.names():
            stories.add_metric([name], standing.open.get(name, 0))
        yield stories
        lag = standing.behind(self._service.log.ends(EVENTS))
        yield GaugeMetricFamily(
            "croupier_log_lag_entries", "Entries of the events topic not read yet", value=lag
        )
        yield GaugeMetricFamily(
            "croupier_watermark_seconds",
            "Log time up to which stories are closed, seconds since 1970",
            value=standing.watermark / SECOND,
        )
        yield GaugeMetricFamily(
            "croupier_ring_up",
            "1 while learning goes on",
            value=self._service.runner.health() is None,
        )
