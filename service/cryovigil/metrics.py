"""Every metric this service keeps. Labels are bounded and never name a patient or a card."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from cryovigil import __version__

_EVENT_TO_CARD_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one process, in a registry of their own so that two can be built in a test."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        build = Gauge("cryovigil_build_info", "The version", ["version"], registry=registry)
        build.labels(__version__).set(1)
        self._intake(registry)
        self._journey(registry)
        self._group(registry)
        self._delivery(registry)

    def _intake(self, registry: CollectorRegistry) -> None:
        self.consumed = Counter(
            "cryovigil_events_consumed_total", "Records taken", ["topic"], registry=registry
        )
        self.processed = Counter(
            "cryovigil_events_processed_total",
            "Resource versions and records, by what became of them",
            ["topic", "outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "cryovigil_dead_letters_total",
            "Events that could not be read",
            ["reason"],
            registry=registry,
        )
        self.slice_seconds = Histogram(
            "cryovigil_event_processing_seconds", "Of one slice of records", registry=registry
        )
        self.slice_records = Histogram(
            "cryovigil_batch_size",
            "Records in a slice",
            buckets=(1, 10, 50, 200, 1000, 5000),
            registry=registry,
        )
        self.due_drained = Counter(
            "cryovigil_due_patients_total", "Patients asked because time passed", registry=registry
        )
        self.lag = Gauge(
            "cryovigil_consumer_lag_records",
            "Records not handled yet",
            ["topic", "partition"],
            registry=registry,
        )

    def _journey(self, registry: CollectorRegistry) -> None:
        self.rule_failures = Counter(
            "cryovigil_rule_failures_total",
            "Answers that a rule could not give because of a bug; alert on any",
            ["rule"],
            registry=registry,
        )

    def _group(self, registry: CollectorRegistry) -> None:
        self.partitions = Gauge(
            "cryovigil_assigned_partitions", "Partitions of this process", registry=registry
        )
        self.rebalances = Counter(
            "cryovigil_rebalances_total", "Assignments received", registry=registry
        )
        self.commit_failures = Counter(
            "cryovigil_commit_failures_total",
            "Commits that Kafka refused; the database holds the offsets",
            ["error"],
            registry=registry,
        )
        self.fenced = Counter(
            "cryovigil_fenced_total", "Slices dropped for another owner", registry=registry
        )
        self.last_poll = Gauge(
            "cryovigil_last_poll_timestamp_seconds", "When Kafka was last asked", registry=registry
        )
        self.last_progress = Gauge(
            "cryovigil_last_progress_timestamp_seconds",
            "When a slice was last committed",
            registry=registry,
        )

    def _delivery(self, registry: CollectorRegistry) -> None:
        self.outbox_pending = Gauge(
            "cryovigil_outbox_pending", "Events the EHR is owed", registry=registry
        )
        self.deliveries = Counter(
            "cryovigil_delivery_attempts_total",
            "Attempts, by outcome and class of answer",
            ["outcome", "code"],
            registry=registry,
        )
        self.delivery_seconds = Histogram(
            "cryovigil_delivery_seconds", "Of one attempt", registry=registry
        )
        self.event_to_card = Histogram(
            "cryovigil_event_to_card_seconds",
            "From the record to the EHR's acknowledgement",
            buckets=_EVENT_TO_CARD_S,
            registry=registry,
        )
