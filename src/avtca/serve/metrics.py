"""Figures of the service for Prometheus; without names, scores or tokens."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "avtca_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "avtca_request_seconds",
            "Seconds of a request.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.recordings = Counter(
            "avtca_recordings", "Recordings by outcome.", ["outcome"], registry=self.registry
        )
        self.recording_seconds = Histogram(
            "avtca_recording_seconds",
            "Seconds from the queue to the result.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.upload_bytes = Counter(
            "avtca_upload_bytes", "Bytes of complete uploads.", registry=self.registry
        )
        self.restarts = Counter(
            "avtca_worker_restarts",
            "Workers that died and were replaced.",
            registry=self.registry,
        )
        self.live_delay_seconds = Histogram(
            "avtca_live_delay_seconds",
            "Seconds from the arrival of a picture to the live result.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a value that is read when the metrics are."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """The metrics in the format of Prometheus."""
        return generate_latest(self.registry)
